"""Surface of a level set as a triangle mesh, by surface nets (Gibson 1998)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Corners of a cell and the twelve edges between them.
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


def _cell_vertices(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the edge crossings of each cell that the surface crosses: numbers (*cells,), points (V, 3) in cells."""
    shape = tuple(n - 1 for n in values.shape)
    corner = [values[tuple(slice(o, o + n) for o, n in zip(offset, shape, strict=True))] for offset in _CORNERS]
    total, count = np.zeros((*shape, 3)), np.zeros(shape)
    for a, b in _EDGES:
        crossed = (corner[a] < 0) != (corner[b] < 0)
        gap = np.where(crossed, corner[a] - corner[b], 1.0)
        t = np.where(crossed, corner[a] / gap, 0.0)[..., None]
        point = _CORNERS[a] + t * (_CORNERS[b] - _CORNERS[a])
        total += np.where(crossed[..., None], point, 0.0)
        count += crossed
    active = count > 0
    number = np.full(shape, -1)
    number[active] = np.arange(active.sum())
    return number, np.argwhere(active) + total[active] / count[active][:, None]


def _quads(values: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Four cells around every grid edge that crosses the surface, ordered so that the normal points outwards."""
    quads = []
    for axis in range(3):
        inside = values < 0
        low = np.take(inside, range(values.shape[axis] - 1), axis)
        high = np.take(inside, range(1, values.shape[axis]), axis)
        at = np.argwhere(low != high)
        u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        around = [number[tuple((at - step).T)] for step in (0 * u, u, u + v, v)]
        quad = np.stack(around, axis=1)
        outwards_along_axis = low[tuple(at.T)]
        quads.append(np.where(outwards_along_axis[:, None], quad, quad[:, ::-1]))
    return np.concatenate(quads)


def _split(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Triangles of the quads, cut along the shorter diagonal."""
    a, b, c, d = vertices[quads].transpose(1, 0, 2)
    along = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1)
    turned = np.where(along[:, None], quads, np.roll(quads, -1, axis=1))
    return np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])


def _gradient(distance: Callable[[np.ndarray], np.ndarray], points: np.ndarray, step: float) -> np.ndarray:
    offsets = step * np.eye(3)
    columns = [(distance(points + o) - distance(points - o)) / (2 * step) for o in offsets]
    return np.stack(columns, axis=1)


def surface(distance: Callable[[np.ndarray], np.ndarray], axes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mesh of the set where a signed distance is zero.

    Args:
        distance: points (N, 3) to signed values (N,), negative inside.
        axes: increasing coordinates of the grid's planes along x, y and z; the grid holds the whole surface.

    Returns:
        vertices (V, 3) and faces (F, 3), counter-clockwise seen from outside; closed.
    """
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = distance(grid.reshape(-1, 3)).reshape(grid.shape[:-1])
    number, points = _cell_vertices(values)
    columns = [np.interp(points[:, i], np.arange(len(axis)), axis) for i, axis in enumerate(axes)]
    vertices = np.stack(columns, axis=1)
    step = 0.1 * min(float(np.diff(axis).min()) for axis in axes)
    for _ in range(3):  # nets cut corners: back onto the surface, by Newton's method
        slope = _gradient(distance, vertices, step)
        squared = np.maximum((slope * slope).sum(1), 0.1)
        vertices = vertices - (distance(vertices) / squared)[:, None] * slope
    return vertices, _split(_quads(values, number), vertices)
