"""A controller that tries to put the peg into the hole, and what its sensors say meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .task import FIXTURE_HEIGHT, Task
from .world import READINGS, World

STEPS = 50
FORCE_NOISE = np.repeat([0.15, 0.004], 3)
"""Standard deviation of the sensor's noise, N and N m."""
_HOVER, _NEAR, _GAIN = 0.012, 0.006, 0.5


class Episode(NamedTuple):
    """What is known of T = 50 steps of the controller, without pictures.

    Attributes:
        action: that led to each step: x, y and z in metres, and yaw in radians, `(T, 4)`.
        pose: of the peg's lower end after it: x, y, z and yaw, `(T, 4)`.
        velocity: of it, `(T, 4)`.
        forces: on the peg during the step in N and N m, `(T, 50, 6)`.
        contact: whether the peg touched anything, zeros and ones, `(T, 50)`.
    """

    action: NDArray[np.float64]
    pose: NDArray[np.float64]
    velocity: NDArray[np.float64]
    forces: NDArray[np.float64]
    contact: NDArray[np.float64]


def simulate(task: Task, rng: np.random.Generator) -> Episode:
    """Return one attempt.

    Raises:
        ImportError: MuJoCo is not installed.
    """
    world = World(task)
    bias = 0.5 * FORCE_NOISE * rng.standard_normal(6)
    rows = []
    searching = 0.0
    for step in range(STEPS):
        action = _decide(task, world.pose, step, searching, rng)
        forces, contact = world.move(action)
        stuck = bool(contact.any()) and world.pose[2] > FIXTURE_HEIGHT - 0.004
        searching = searching + 1.0 if stuck else 0.0
        noisy = forces + bias + FORCE_NOISE * rng.standard_normal((READINGS, 6))
        rows.append((action, world.pose, world.velocity, noisy, contact))
    return Episode(*(np.stack(values) for values in zip(*rows, strict=True)))


def _decide(
    task: Task, pose: NDArray[np.float64], step: int, searching: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the next step: over the hole, down, in ever larger circles if it does not go in, up again at the end."""
    around = 0.0006 * min(searching, 12) * np.array([np.cos(1.3 * searching), np.sin(1.3 * searching)])
    aside = task.place[:2] + task.aim[:2] + around - pose[:2]
    height = FIXTURE_HEIGHT + _HOVER if np.hypot(*aside) > _NEAR and pose[2] > FIXTURE_HEIGHT else 0.0
    if step >= task.retreats_at:
        height, aside = FIXTURE_HEIGHT + 0.06, 0.3 * aside
    wanted = _GAIN * np.array([*aside, height - pose[2]])
    turn = _GAIN * (task.place[2] + task.aim[2] - pose[3]) + rng.normal(0, 0.01)
    return np.append(wanted.clip(-task.speed, task.speed) + rng.normal(0, task.wander, 3), turn.clip(-0.1, 0.1))
