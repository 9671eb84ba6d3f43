"""What lens and sensor make of a picture."""

from __future__ import annotations

import numpy as np


def _soften(picture: np.ndarray, strength: np.float32) -> np.ndarray:
    """The lens: a part of each pixel goes to its four neighbours."""
    rows = picture.copy()
    rows[1:-1] += strength * (0.5 * (picture[:-2] + picture[2:]) - picture[1:-1])
    both = rows.copy()
    both[:, 1:-1] += strength * (0.5 * (rows[:, :-2] + rows[:, 2:]) - rows[:, 1:-1])
    return both


def develop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lens and sensor make of a picture (H, W, 3) float32 in 0..1: softness, noise, exposure; uint8."""
    picture = _soften(picture, np.float32(rng.uniform(0.1, 0.4)))
    noise = np.float32(rng.uniform(0, 0.01)) * rng.standard_normal(picture.shape, dtype=np.float32)
    exposure = np.float32(255 * rng.uniform(0.85, 1.1))
    return ((picture + noise) * exposure).round().clip(0, 255).astype(np.uint8)
