"""Random changes of a hand crop (Gupta, thesis, 2021, section 4.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.hands.geometry import Array

MAX_ZOOM = 1.2
MAX_SHIFT = 20 / 256
"""Largest shift along either axis, as a share of the crop's side."""
MAX_HUE = 0.1 * math.pi
JITTER = 0.4
"""Brightness, contrast and saturation are each multiplied by something in 1 +- 0.4."""

MARGIN = math.sqrt(2) * (1 + 2 * MAX_SHIFT)
"""How far, in half sides of the crop, an augmented crop may look."""

_LUMA = np.array([0.299, 0.587, 0.114])


class Augmentation(NamedTuple):
    """One draw of the augmentation; the default changes nothing.

    Args:
        zoom: magnification.
        angle: rotation in radians, of image, cloud and pose alike.
        shift: translation of the image as a share of its side.
        color: (3, 4) affine map of colours in [0, 1], or None.
    """

    zoom: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    color: Array | None = None


def draw_augmentation(rng: np.random.Generator) -> Augmentation:
    """Draw zoom, rotation, shift and colour jitter."""
    return Augmentation(
        zoom=rng.uniform(1, MAX_ZOOM),
        angle=rng.uniform(-math.pi, math.pi),
        shift=(rng.uniform(-MAX_SHIFT, MAX_SHIFT), rng.uniform(-MAX_SHIFT, MAX_SHIFT)),
        color=color_jitter(
            brightness=rng.uniform(1 - JITTER, 1 + JITTER),
            contrast=rng.uniform(1 - JITTER, 1 + JITTER),
            saturation=rng.uniform(1 - JITTER, 1 + JITTER),
            hue=rng.uniform(-MAX_HUE, MAX_HUE),
        ),
    )


def color_jitter(brightness: float, contrast: float, saturation: float, hue: float) -> Array:
    """Return brightness, contrast, saturation and hue as one affine map of colours.

    Saturation moves colours from or to their own luminance, hue turns them about the grey axis, contrast moves
    them from or to middle grey. One matrix costs a tenth of four passes over the image.

    Args:
        brightness: factor.
        contrast: factor.
        saturation: factor.
        hue: angle in radians.

    Returns:
        (3, 4) map of [r, g, b, 1].
    """
    saturate = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), _LUMA)
    linear = contrast * brightness * _turn_about_grey(hue) @ saturate
    return np.column_stack([linear, np.full(3, (1 - contrast) / 2)])


def recolor(image: NDArray[np.float32], color: Array | None) -> NDArray[np.float32]:
    """Apply a (3, 4) map of colours to an image (H, W, 3) in [0, 1]; the result is clipped to [0, 1]."""
    if color is None:
        return image
    matrix = color.astype(np.float32)
    return np.clip(image @ matrix[:, :3].T + matrix[:, 3], 0, 1)


def _turn_about_grey(angle: float) -> Array:
    """Rotation about (1, 1, 1), by Rodrigues' formula."""
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
