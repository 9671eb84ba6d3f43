"""What is different from one insertion to the next: peg, hole, where they are, and how good the controller is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIXTURE_HALF, FIXTURE_HEIGHT, FLOOR = 0.05, 0.045, 0.008
"""Of the block with the hole: half its side, its height, and how thick it is below the hole, metres."""
PEG_LENGTH = 0.075
SHAPES = {"triangular": 3, "square": 4, "round": 16}
"""Pegs by number of sides."""


@dataclass(frozen=True)
class Task:
    """One insertion.

    Attributes:
        sides: of peg and hole, regular polygons.
        radius: of the peg's inscribed circle, metres.
        clearance: between peg and hole on every side, metres.
        place: of the hole's axis on the table, x and y in metres, and its yaw in radians, `(3,)`.
        friction: of the contacts.
        start: of the peg's lower end, x, y and z in metres, and its yaw, `(4,)`.
        aim: how far the controller's idea of the hole is off: x, y and yaw, `(3,)`.
        speed: largest step of the controller along an axis, metres.
        wander: standard deviation of the steps' noise, metres.
        retreats_at: step from which the peg is pulled out again; 50 or more: never.
    """

    sides: int
    radius: float
    clearance: float
    place: NDArray[np.float64]
    friction: float
    start: NDArray[np.float64]
    aim: NDArray[np.float64]
    speed: float
    wander: float
    retreats_at: int

    @property
    def hole_depth(self) -> float:
        """How deep the hole is, metres."""
        return FIXTURE_HEIGHT - FLOOR


def polygon(sides: int, inradius: float) -> NDArray[np.float64]:
    """Return the corners `(sides, 2)` of a regular polygon about the origin, counter-clockwise."""
    angle = 2 * np.pi * np.arange(sides) / sides
    return inradius / np.cos(np.pi / sides) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def square_at(angle: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Return points `(N, 2)` of a square's outline in directions `(N,)`."""
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return half * direction / np.abs(direction).max(1, keepdims=True)


def sample_task(rng: np.random.Generator) -> Task:
    """Return a random insertion; half of the controllers know well where the hole is."""
    sides = list(SHAPES.values())[int(rng.integers(len(SHAPES)))]
    radius = rng.uniform(0.011, 0.013) if sides == 3 else rng.uniform(0.014, 0.017)
    place = np.append(rng.uniform(-0.004, 0.004, 2), rng.uniform(-0.08, 0.08))
    direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.015, 0.07)
    around = place[:2] + distance * np.array([np.cos(direction), np.sin(direction)])
    start = np.array([*around, FIXTURE_HEIGHT + rng.uniform(0.01, 0.07), place[2] + rng.uniform(-0.3, 0.3)])
    sloppy = rng.random() < 0.5
    aim = rng.normal(0, 1, 3) * np.array([1, 1, 6]) * (0.01 if sloppy else 0.001)
    retreats = int(rng.integers(25, 45)) if rng.random() < 0.4 else 99
    return Task(
        sides=sides,
        radius=float(radius),
        clearance=float(rng.uniform(0.001, 0.002)),
        place=place,
        friction=float(rng.uniform(0.2, 0.6)),
        start=start,
        aim=aim,
        speed=float(rng.uniform(0.004, 0.01)),
        wander=float(rng.uniform(0.0003, 0.0015)),
        retreats_at=retreats,
    )
