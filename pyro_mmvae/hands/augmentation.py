"""Random changes of a hand crop (Gupta, thesis, 2021, section 4.1; Theodoridis et al., 2020, section 4.2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.corruption import checked_share
from pyro_mmvae.hands.geometry import Array

MAX_HUE = 0.1 * math.pi
JITTER = 0.4
"""Brightness, contrast and saturation are each multiplied by something in 1 +- 0.4."""

_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class AugmentationRanges:
    """What augmentations are drawn from, uniformly and independently.

    The defaults are those of Gupta (2021), who prints scale, shift and rotation and that colours are jittered, but not
    by how much: the strength is ours. Theodoridis et al. (2020) rotate by up to 45 degrees, flip vertically half of the
    time, and name nothing else:
    `AugmentationRanges(zoom=(1, 1), shift=0, rotation=45, flip=0.5, color=False)`.

    Args:
        zoom: least and largest magnification.
        shift: largest translation along either axis, as a share of the crop's side.
        rotation: largest rotation to either side, in degrees.
        flip: probability that up and down change places, in image, heat maps, cloud and pose alike. It makes a left
            hand look like a right one.
        color: whether colours are jittered.

    Raises:
        ValueError: a range is empty or makes no sense, or a number is not finite.
    """

    zoom: tuple[float, float] = (1.0, 1.2)
    shift: float = 20 / 256
    rotation: float = 180.0
    flip: float = 0.0
    color: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        low, high = self.zoom
        if not 0 < low <= high < math.inf:
            raise ValueError(f"zoom: expected 0 < least <= largest, got {self.zoom}")
        if not 0 <= self.shift <= 1:
            raise ValueError(f"shift: expected a share of the crop's side in [0, 1], got {self.shift}")
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"rotation: expected degrees in [0, 180], got {self.rotation}")
        checked_share("flip", self.flip)

    @property
    def margin(self) -> float:
        """How far, in half sides of the crop, an augmented crop may look."""
        return math.sqrt(2) * (1 + 2 * self.shift) / self.zoom[0]


class Augmentation(NamedTuple):
    """One draw of the augmentation; the default changes nothing.

    Args:
        zoom: magnification.
        angle: rotation in radians, of image, cloud and pose alike.
        shift: translation of the image as a share of its side.
        color: (3, 4) affine map of colours in [0, 1], or None.
        flipped: whether up and down change places after the rotation, in image, cloud and pose alike.
    """

    zoom: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    color: Array | None = None
    flipped: bool = False


def draw_augmentation(rng: np.random.Generator, ranges: AugmentationRanges | None = None) -> Augmentation:
    """Draw zoom, rotation, shift, colour jitter and flip.

    Everything is drawn whether it is asked for or not: switching one part off leaves the others as they were.

    Args:
        rng: source of randomness.
        ranges: the defaults if left out.
    """
    ranges = ranges or AugmentationRanges()
    turn = math.radians(ranges.rotation)
    zoom, angle = rng.uniform(*ranges.zoom), rng.uniform(-turn, turn)
    shift = (rng.uniform(-ranges.shift, ranges.shift), rng.uniform(-ranges.shift, ranges.shift))
    color = color_jitter(
        brightness=rng.uniform(1 - JITTER, 1 + JITTER),
        contrast=rng.uniform(1 - JITTER, 1 + JITTER),
        saturation=rng.uniform(1 - JITTER, 1 + JITTER),
        hue=rng.uniform(-MAX_HUE, MAX_HUE),
    )
    flipped = bool(rng.random() < ranges.flip)
    return Augmentation(zoom, angle, shift, color if ranges.color else None, flipped)


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
