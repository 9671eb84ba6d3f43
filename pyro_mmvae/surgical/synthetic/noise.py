"""Smooth noise in space, the same for the same seed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import map_coordinates

_SIDE = 24


@lru_cache(maxsize=64)
def _grid(seed: int) -> np.ndarray:
    return np.random.default_rng([0x0B5E55ED, seed]).uniform(-1, 1, (_SIDE,) * 3).astype(np.float32)


def noise(points: np.ndarray, seed: int, size: float, octaves: int = 1) -> np.ndarray:
    """Values in about -1..1, (N,): each octave is half as large and half as strong as the one before.

    Args:
        points: (N, 3).
        seed: not negative.
        size: distance over which the first octave changes, in the points' unit.
        octaves: number of them.
    """
    total = np.zeros(len(points), np.float32)
    for octave in range(octaves):
        place = points.T * (2**octave / size) + 7.3 * octave
        total += 0.5**octave * map_coordinates(_grid(seed + 97 * octave), place, order=1, mode="grid-wrap")
    return total
