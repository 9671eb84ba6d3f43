"""Pictures of food: how they are resized, cropped and augmented."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2


class PictureOptions(NamedTuple):
    """How pictures become squares, and how those to train on are varied.

    "Cross-modal Variational Alignment of Latent Spaces", section 4.1.2: Yummly's pictures are resized to 360 x 240,
    Recipe1M's to 256 on their shorter side; 224 x 224 at random in training and from the centre in test; flipped with
    p = 0.5 and turned by up to 10 degrees in training.

    Attributes:
        size: width and height that they are resized to; or their shorter side, which keeps their shape.
        crop: side S of the square.
        flip: share of pictures whose left and right change places.
        rotation: largest turn to either side in degrees.
    """

    size: tuple[int, int] | int = (360, 240)
    crop: int = 224
    flip: float = 0.5
    rotation: float = 10.0

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ValueError: says which.
        """
        sides = (self.size,) if isinstance(self.size, int) else self.size
        if min(*sides, self.crop) < 1 or min(sides) < self.crop:
            raise ValueError(f"expected pictures of at least the crop's {self.crop} pixels, got {self.size}")
        if not 0 <= self.flip <= 1 or not 0 <= self.rotation <= 180:
            raise ValueError(f"expected flip in [0, 1] and rotation in [0, 180], got {self.flip} and {self.rotation}")


def resized(picture: Image.Image, size: tuple[int, int] | int) -> Image.Image:
    """Return a picture in the size that crops are taken from."""
    if isinstance(size, int):
        return v2.functional.resize(picture, [size], antialias=True)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def centre(picture: Image.Image, options: PictureOptions) -> Tensor:
    """Return the crop from the centre, shape `(3, S, S)` in [0, 1]."""
    return _as_tensor(v2.functional.center_crop(picture, [options.crop, options.crop]))


def varied(picture: Image.Image, options: PictureOptions, rng: np.random.Generator) -> Tensor:
    """Return a random crop, turned and flipped, shape `(3, S, S)` in [0, 1]; what is outside of the picture is black.

    The crop is turned about its own centre before what is outside of it is cut off, so that corners stay filled where
    the picture reaches that far.
    """
    angle = float(rng.uniform(-options.rotation, options.rotation))
    left, top = (int(rng.integers(0, side - options.crop + 1)) for side in picture.size)
    room = math.ceil(options.crop * (abs(math.sin(math.radians(angle))) + 1 - math.cos(math.radians(angle))) / 2)
    box = (left - room, top - room, left + options.crop + room, top + options.crop + room)
    turned = picture.crop(box).rotate(angle, Image.Resampling.BILINEAR)
    square = turned.crop((room, room, room + options.crop, room + options.crop))
    flipped = rng.uniform() < options.flip
    return _as_tensor(v2.functional.horizontal_flip(square) if flipped else square)


def _as_tensor(picture: Image.Image) -> Tensor:
    values = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())
    return values.to(torch.float32).div_(255)
