"""Simulated sensor noise (Joshi et al., "Generalized Product-of-Experts ...", 2022, section 4.3)."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", np.uint8, np.float32, np.float64)


def corrupt_pixels(image: NDArray[Pixel], share: float, rng: np.random.Generator) -> NDArray[Pixel]:
    """Replace a share of an image's pixels by uniformly random colours.

    Args:
        image: (H, W, C), uint8 in [0, 255] or floating point in [0, 1].
        share: share of the pixels to replace, in [0, 1]; the number is rounded.
        rng: source of randomness.

    Returns:
        A corrupted copy.

    Raises:
        ValueError: the share is not in [0, 1].
    """
    checked_share("pixel corruption", share)
    corrupted = image.copy()
    pixels = corrupted.reshape(-1, image.shape[-1])
    count = round(share * len(pixels))
    chosen = rng.choice(len(pixels), count, replace=False, shuffle=False)
    pixels[chosen] = _random_colors((count, image.shape[-1]), image.dtype, rng)
    return corrupted


def noise_cloud(cloud: NDArray[Any], std: float, rng: np.random.Generator) -> NDArray[Any]:
    """Add Gaussian noise to the points of a cloud.

    Args:
        cloud: (N, 3).
        std: standard deviation, in the cloud's units.
        rng: source of randomness.

    Returns:
        A noisy copy of the same type.

    Raises:
        ValueError: the standard deviation is negative or not finite.
    """
    if not 0 <= std < float("inf"):
        raise ValueError(f"cloud noise: expected a standard deviation of at least 0, got {std}")
    return cloud + (std * rng.standard_normal(cloud.shape)).astype(cloud.dtype)


def checked_share(name: str, share: float) -> float:
    """Return the share if it is one.

    Raises:
        ValueError: it is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"{name}: expected a share in [0, 1], got {share}")
    return share


def _random_colors(shape: tuple[int, int], dtype: np.dtype[Any], rng: np.random.Generator) -> NDArray[Any]:
    if dtype == np.uint8:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.random(shape).astype(dtype)
