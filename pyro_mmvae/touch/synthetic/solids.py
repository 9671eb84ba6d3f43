"""Meshes of prisms and rings, of which the scene consists; metres, z up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .task import FIXTURE_HALF, FIXTURE_HEIGHT, FLOOR, Task, polygon, square_at

TABLE, FIXTURE, HOLE, PEG, COLLAR, FINGERS, ARM = range(7)
"""What a triangle belongs to."""


class Solid(NamedTuple):
    """Triangles in space.

    Attributes:
        vertices: metres, `(V, 3)`.
        faces: vertex indices, counter-clockwise seen from outside, `(F, 3)`.
        parts: what each face belongs to, `(F,)`.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    parts: NDArray[np.int64]

    def moved(self, pose: NDArray[np.float64]) -> Solid:
        """Return it turned about the z axis, then shifted; `pose` is x, y, z and yaw, `(4,)`."""
        cosine, sine = np.cos(pose[3]), np.sin(pose[3])
        turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        return self._replace(vertices=self.vertices @ turn.T + pose[:3])

    def normals(self) -> NDArray[np.float64]:
        """Return the unit normal of every face, `(F, 3)`."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        across = np.cross(b - a, c - a)
        return across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)


def join(*solids: Solid) -> Solid:
    """Return one of several."""
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids[:-1])])
    return Solid(
        np.concatenate([solid.vertices for solid in solids]),
        np.concatenate([solid.faces + start for solid, start in zip(solids, starts, strict=True)]),
        np.concatenate([solid.parts for solid in solids]),
    )


def prism(outline: NDArray[np.float64], low: float, high: float, part: int, slices: int = 1) -> Solid:
    """Return a closed prism over a convex outline `(n, 2)`, counter-clockwise.

    Args:
        outline: its corners.
        low: z of its lower end.
        high: z of its upper end.
        part: what it is.
        slices: layers that its sides are cut into; the rasteriser is quick with triangles that are not long and thin.
    """
    n = len(outline)
    vertices = np.concatenate([np.column_stack([outline, np.full(n, z)]) for z in np.linspace(low, high, slices + 1)])
    around = np.arange(n)
    after = (around + 1) % n
    side = np.concatenate([np.stack([around, after, after + n], 1), np.stack([around, after + n, around + n], 1)])
    fan = np.stack([np.zeros(n - 2, int), np.arange(1, n - 1), np.arange(2, n)], 1)
    faces = np.concatenate([*(side + n * layer for layer in range(slices)), fan[:, ::-1], fan + n * slices])
    return Solid(vertices, faces, np.full(len(faces), part))


def block(centre: tuple[float, float], half: tuple[float, float], low: float, high: float, part: int) -> Solid:
    """Return a box with its sides along the axes."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + centre
    return prism(corners, low, high, part)


def fixture(task: Task) -> Solid:
    """Return the block with the hole, on the table."""
    inner = polygon(task.sides, task.radius + task.clearance)
    angle = np.concatenate([2 * np.pi * np.arange(task.sides) / task.sides, np.pi / 4 * np.arange(1, 8, 2)])
    angle = np.unique(angle.round(9))
    inside = _on_outline(inner, angle)
    outside = square_at(angle, FIXTURE_HALF)
    n = len(angle)
    rings = [(inside, FLOOR), (inside, FIXTURE_HEIGHT), (outside, FIXTURE_HEIGHT), (outside, 0.0)]
    vertices = np.concatenate([np.column_stack([ring, np.full(n, z)]) for ring, z in rings])
    around, after = np.arange(n), (np.arange(n) + 1) % n
    faces, parts = [], []
    for i, part in enumerate((HOLE, FIXTURE, FIXTURE)):
        low, high = i * n, (i + 1) * n
        faces += [np.stack([low + around, high + after, low + after], 1)]
        faces += [np.stack([low + around, high + around, high + after], 1)]
        parts += [np.full(2 * n, part)]
    fan = np.stack([np.zeros(n - 2, int), np.arange(1, n - 1), np.arange(2, n)], 1)
    solid = Solid(vertices, np.concatenate([*faces, fan]), np.concatenate([*parts, np.full(n - 2, HOLE)]))
    return solid.moved(np.array([task.place[0], task.place[1], 0, task.place[2]]))


def _on_outline(corners: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of a convex polygon about the origin in some directions."""
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    edge = np.roll(corners, -1, axis=0) - corners
    normal = np.stack([edge[:, 1], -edge[:, 0]], 1)
    distance = (normal * corners).sum(1)
    reach = direction @ normal.T
    return direction * np.where(reach > 1e-9, distance / np.maximum(reach, 1e-9), np.inf).min(1, keepdims=True)


def hand(task: Task, length: float) -> Solid:
    """Return the peg with the gripper that holds it; the origin is the middle of the peg's lower end."""
    wide = 1.15 * task.radius
    return join(
        prism(polygon(task.sides, task.radius), 0.0, length, PEG, slices=8 if task.sides > 4 else 3),
        prism(polygon(12, wide + 0.004), length - 0.004, length + 0.012, COLLAR),
        block((wide, 0.0), (0.004, 0.008), length - 0.022, length + 0.03, FINGERS),
        block((-wide, 0.0), (0.004, 0.008), length - 0.022, length + 0.03, FINGERS),
        block((0.0, 0.0), (0.032, 0.018), length + 0.025, length + 0.05, COLLAR),
        prism(polygon(12, 0.022), length + 0.05, length + 0.2, ARM, slices=12),
    )


def table(towards: NDArray[np.float64]) -> Solid:
    """Return the table, a plane that reaches away from a camera in direction `towards`, `(2,)`."""
    along = towards / np.linalg.norm(towards)
    across = np.array([-along[1], along[0]])
    near, far, half = -0.22, 1.3, 1.2
    corners = np.array([near * along - half * across, far * along - half * across, far * along + half * across])
    corners = np.concatenate([corners, [near * along + half * across]])
    return Solid(np.column_stack([corners, np.zeros(4)]), np.array([[0, 1, 2], [0, 2, 3]]), np.full(2, TABLE))
