"""A peg on a compliant wrist above a block with a hole, in MuJoCo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.touch.extra import import_extra

from .task import FIXTURE_HALF, FIXTURE_HEIGHT, FLOOR, PEG_LENGTH, Task, polygon, square_at

STEP = 0.002
"""Seconds between two readings of the force sensor."""
READINGS = 50
"""Of the force sensor during a step of the controller."""
STIFFNESS, TURNING_STIFFNESS = 1500.0, 8.0
"""Of the wrist, N/m and N m/rad."""
WRIST = 0.02
"""How far above the peg's upper end its wrist's sensor is."""


def walls(task: Task) -> list[NDArray[np.float64]]:
    """Return the block about the hole as convex parts, one at each side of the hole: their outlines `(n, 2)`."""
    hole = polygon(task.sides, task.radius + task.clearance)
    corners = np.pi / 4 + np.pi / 2 * np.arange(4)
    found = []
    for i in range(task.sides):
        begin, end = 2 * np.pi * i / task.sides, 2 * np.pi * (i + 1) / task.sides
        between = np.concatenate([[begin], corners[(corners > begin) & (corners < end)], [end]])
        outside = square_at(between, FIXTURE_HALF)
        found.append(np.concatenate([outside, hole[[(i + 1) % task.sides, i]]]))
    return found


def _prism(outline: NDArray[np.float64], low: float, high: float) -> str:
    corners = [(*point, z) for z in (low, high) for point in outline]
    return " ".join(f"{value:.6f}" for corner in corners for value in corner)


def _mjcf(task: Task) -> str:
    parts = walls(task)
    x, y, yaw = task.place
    half, floor = FIXTURE_HALF, FLOOR / 2
    meshes = "".join(f'<mesh name="w{i}" vertex="{_prism(p, FLOOR, FIXTURE_HEIGHT)}"/>' for i, p in enumerate(parts))
    geoms = "".join(f'<geom type="mesh" mesh="w{i}"/>' for i in range(len(parts)))
    peg = _prism(polygon(task.sides, task.radius), 0, PEG_LENGTH)
    gains = f'kp="{STIFFNESS}" dampratio="1"'
    slides = "".join(
        f'<joint name="{n}" type="slide" axis="{a}"/>' for n, a in (("x", "1 0 0"), ("y", "0 1 0"), ("z", "0 0 1"))
    )
    motors = "".join(f'<position joint="{n}" {gains}/>' for n in "xyz")
    return f"""<mujoco>
  <compiler angle="radian"/>
  <option timestep="{STEP}" gravity="0 0 0" integrator="implicitfast" cone="elliptic"/>
  <default><geom friction="{task.friction} 0.005 0.0001" solref="0.006 1"/></default>
  <asset>{meshes}<mesh name="peg" vertex="{peg}"/></asset>
  <worldbody>
    <geom type="plane" size="1 1 0.1"/>
    <body pos="{x} {y} 0" euler="0 0 {yaw}">
      <geom type="box" size="{half} {half} {floor}" pos="0 0 {floor}"/>{geoms}
    </body>
    <body name="hand">
      {slides}<joint name="yaw" type="hinge" axis="0 0 1"/>
      <geom type="sphere" size="0.01" pos="0 0 0.2" mass="0.8" contype="0" conaffinity="0"/>
      <body name="peg">
        <geom type="mesh" mesh="peg" mass="0.15"/>
        <site name="wrist" pos="0 0 {PEG_LENGTH + WRIST}"/>
      </body>
    </body>
  </worldbody>
  <actuator>{motors}<position joint="yaw" kp="{TURNING_STIFFNESS}" dampratio="1"/></actuator>
  <sensor><force site="wrist"/><torque site="wrist"/></sensor>
</mujoco>"""


class World:
    """One insertion that can be stepped through.

    Args:
        task: what it is.

    Raises:
        ImportError: MuJoCo is not installed.
    """

    def __init__(self, task: Task) -> None:
        self._mujoco = import_extra("mujoco")
        self._model: Any = self._mujoco.MjModel.from_xml_string(_mjcf(task))
        self._data: Any = self._mujoco.MjData(self._model)
        self._data.qpos[:] = task.start
        self._data.ctrl[:] = task.start
        self._mujoco.mj_forward(self._model, self._data)

    @property
    def pose(self) -> NDArray[np.float64]:
        """Where the lower end of the peg is, x, y and z in metres, and its yaw, `(4,)`."""
        return np.array(self._data.qpos)

    @property
    def velocity(self) -> NDArray[np.float64]:
        """How it moves, metres and radians per second, `(4,)`."""
        return np.array(self._data.qvel)

    def move(self, action: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the peg from where it is along a step, as compliantly as the wrist is.

        Args:
            action: by how much, x, y and z in metres and yaw in radians, `(4,)`.

        Returns:
            forces on the peg in N and torques in N m at its wrist, in the peg's frame, `(READINGS, 6)`; and whether
            it touches anything, zeros and ones, `(READINGS,)`.
        """
        begin = self.pose
        forces, contact = np.zeros((READINGS, 6)), np.zeros(READINGS)
        for i in range(READINGS):
            self._data.ctrl[:] = begin + action * min(1.0, 2 * (i + 1) / READINGS)
            self._mujoco.mj_step(self._model, self._data)
            forces[i] = self._data.sensordata
            contact[i] = self._data.ncon > 0
        return -forces, contact
