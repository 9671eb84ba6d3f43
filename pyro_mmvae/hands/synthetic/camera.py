"""Cameras, and where hands stand before them."""

from __future__ import annotations

import numpy as np

FOCAL = (250.0, 310.0)  # pixels in an image of 320
REFERENCE_SIZE = 320


def sample_camera(rng: np.random.Generator, size: int) -> np.ndarray:
    """K (3, 3) of a square image; the view does not change with its size."""
    scale = size / REFERENCE_SIZE
    focal = rng.uniform(*FOCAL) * scale
    centre = (size - 1) / 2 + rng.uniform(-4, 4, 2) * scale
    return np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])


def sample_rotation(rng: np.random.Generator) -> np.ndarray:
    """A uniformly random rotation (3, 3)."""
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
