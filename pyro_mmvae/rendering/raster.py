"""A z-buffer rasteriser in numpy, and what the renderers have in common.

Pixel (u, v) is a point, not a square: the ray through it is ((u - cx) / fx, (v - cy) / fy, 1), the same rule by
which depth maps are projected back to points. No half pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pinhole import project

NEAR = 0.05  # metres; triangles that come nearer are dropped
_BATCH = 1 << 19  # candidate pixels tried at once


@dataclass(frozen=True)
class Fragments:
    """What is seen in each pixel.

    Attributes:
        depth: z in metres, infinite where nothing is, (H, W).
        face: index of the triangle in the mesh, -1 where nothing is, (H, W).
        barycentric: where on the triangle (perspective correct), zero where nothing is, (H, W, 3).
    """

    depth: np.ndarray
    face: np.ndarray
    barycentric: np.ndarray


def facing(vertices: np.ndarray, faces: np.ndarray, near: float = NEAR) -> np.ndarray:
    """Indices of the faces that turn their outside to the camera and lie wholly beyond the near plane."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    towards = (np.cross(b - a, c - a) * a).sum(1) < 0
    beyond = np.minimum(np.minimum(a[:, 2], b[:, 2]), c[:, 2]) > near
    return np.flatnonzero(towards & beyond)


def _planes(corners: np.ndarray, inverse_depth: np.ndarray) -> np.ndarray:
    """Coefficients (n, 3, 3): barycentric weight i over depth is row i dotted with (u, v, 1).

    All are zero for a triangle that is seen edge-on.
    """
    x, y = corners[..., 0], corners[..., 1]
    after, last = [1, 2, 0], [2, 0, 1]
    a = y[:, after] - y[:, last]
    b = x[:, last] - x[:, after]
    c = x[:, after] * y[:, last] - x[:, last] * y[:, after]
    rows = np.stack([a, b, c], axis=-1)
    area = c.sum(1)
    area[area == 0] = np.inf
    return rows / area[:, None, None] * inverse_depth[..., None]


class _Buffer:
    """The z-buffer: the nearest triangle so far, by inverse depth."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.inverse = np.zeros(height * width)
        self.face = np.full(height * width, -1)
        self.weights = np.zeros((height * width, 3))

    def draw(self, planes: np.ndarray, number: np.ndarray, low: np.ndarray, size: int) -> None:
        """Tries the squares of `size` pixels from `low` (n, 2) on, one for each triangle."""
        u, v = (low[:, axis, None] + np.arange(size) for axis in (0, 1))
        a, b, c = np.moveaxis(planes, -1, 0)[..., None]
        weights = (a * u[:, None])[:, :, None, :] + (b * v[:, None] + c)[..., None]
        covered = (weights >= 0).all(1) & (u < self.width)[:, None, :] & (v < self.height)[:, :, None]
        owner, dv, du = np.nonzero(covered)
        weights = weights[owner, :, dv, du]
        inverse = weights.sum(1)
        pixel = v[owner, dv] * self.width + u[owner, du]
        np.maximum.at(self.inverse, pixel, inverse)
        front = inverse == self.inverse[pixel]
        self.face[pixel[front]] = number[owner[front]]
        self.weights[pixel[front]] = weights[front] / inverse[front, None]


def rasterise(vertices: np.ndarray, faces: np.ndarray, camera: np.ndarray, height: int, width: int) -> Fragments:
    """Draws triangles.

    Args:
        vertices: camera coordinates, metres, (V, 3).
        faces: (F, 3).
        camera: K, (3, 3).
        height: image height in pixels.
        width: image width in pixels.

    Returns:
        The nearest surface at each pixel; only faces that turn outwards to the camera count.
    """
    shown = facing(vertices, faces)
    corners = project(vertices, camera)[faces[shown]]
    low = np.ceil(corners.min(1)).clip(0, [width, height]).astype(np.int64)
    high = np.floor(corners.max(1)).clip(-1, [width - 1, height - 1]).astype(np.int64)
    extent = high - low + 1
    planes = _planes(corners, 1 / vertices[faces[shown], 2])
    largest = extent.max(1) * (extent.min(1) > 0) * planes.any(axis=(1, 2))
    buffer = _Buffer(height, width)
    size = 1
    while size < 2 * max(height, width):
        group = np.flatnonzero((largest <= size) & (largest > size // 2))
        chunk = max(1, _BATCH // size**2)
        for start in range(0, len(group), chunk):
            part = group[start : start + chunk]
            buffer.draw(planes[part], shown[part], low[part], size)
        size *= 2
    with np.errstate(divide="ignore"):
        depth = (1 / buffer.inverse).reshape(height, width)
    return Fragments(depth, buffer.face.reshape(height, width), buffer.weights.reshape(height, width, 3))
