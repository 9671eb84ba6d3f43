"""How pictures of faces become squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Square(NamedTuple):
    """The square that is cut out of a picture and resized.

    Attributes:
        side: S of the result, in pixels.
        crop: side of the square in the middle of the picture, in pixels of the picture. None: the picture's shorter
            side, as Wu and Goodman (2018, arXiv:1802.05335) have it in their code.
    """

    side: int = 64
    crop: int | None = None

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ValueError: says which.
        """
        if self.side < 8 or (self.crop is not None and self.crop < 8):
            raise ValueError(f"expected a side and a crop of at least 8 pixels, got {self.side} and {self.crop}")

    def box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the square in a picture of width and height."""
        width, height = size
        crop = min(width, height, self.crop or min(width, height))
        left, top = (width - crop) / 2, (height - crop) / 2
        return left, top, left + crop, top + crop


def squared(picture: Image.Image, square: Square) -> NDArray[np.uint8]:
    """Return the square of a picture, shape `(3, S, S)`; shrunk with averaging, not sampled."""
    side = (square.side, square.side)
    resized = picture.resize(side, Image.Resampling.BILINEAR, box=square.box(picture.size))
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def moved(points: NDArray[Any], size: tuple[int, int], square: Square) -> NDArray[np.float64]:
    """Return points `(..., 2)` of a picture in the pixels of its square, pixel centres at integers in both."""
    left, top, right, _ = square.box(size)
    return (points + 0.5 - np.array([left, top])) * square.side / (right - left) - 0.5
