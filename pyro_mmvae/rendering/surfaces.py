"""What shading needs of the surfaces that are seen."""

from __future__ import annotations

import numpy as np


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals at the vertices, (V, 3): the mean of the adjacent faces' normals weighted by area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    index = faces.T.ravel()
    columns = [np.bincount(index, np.tile(face_normals[:, i], 3), minlength=len(vertices)) for i in range(3)]
    normals = np.stack(columns, axis=1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def interpolate(values: np.ndarray, corners: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """Values (V, C) of vertices at places (N, 3) on the triangles of these corners (N, 3): (N, C)."""
    return np.einsum("nk,nkc->nc", barycentric, values[corners])


def _box(values: np.ndarray, radius: int) -> np.ndarray:
    """Sums over squares of 2 radius + 1, (H, W)."""
    for _ in (0, 1):
        total = np.cumsum(np.pad(values, ((radius + 1, radius), (0, 0))), axis=0)
        values = (total[2 * radius + 1 :] - total[: -2 * radius - 1]).T
    return values


def hollows(depth: np.ndarray, radius: int, deepest: float) -> np.ndarray:
    """How deep each pixel lies behind the surfaces around it, (H, W) in 0..1 (unsharp masking of the depth).

    After Luft, Colditz and Deussen, "Image Enhancement by Unsharp Masking the Depth Buffer" (2006). The mean
    over the surroundings is taken on every other pixel.

    Args:
        depth: infinite where nothing is seen.
        radius: of the surroundings, in pixels.
        deepest: how far behind its surroundings a pixel is at which hollows are deepest, in the depth's unit.
    """
    hit = np.isfinite(depth)
    near = np.where(hit, depth, 0.0)
    total, count = (_box(values[::2, ::2], radius // 2) for values in (near, hit.astype(float)))
    around = np.repeat(np.repeat(total / np.maximum(count, 1), 2, axis=0), 2, axis=1)
    around = around[: depth.shape[0], : depth.shape[1]]
    return np.where(hit, ((near - around) / deepest).clip(0, 1), 0.0)
