"""A picture to draw on, twice as large as the result, in coordinates of the result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 178, 218
"""Of CelebA's aligned pictures."""
LARGER = 2
Points = NDArray[np.float64]


class Canvas:
    """Draws filled shapes whose points are turned and shifted with the head; positions in pixels of 178 x 218.

    Args:
        back: the picture to draw on, `(HEIGHT * LARGER, WIDTH * LARGER, 3)`.
        tilt: turn in degrees.
        shift: in pixels.
    """

    def __init__(self, back: Image.Image, tilt: float, shift: tuple[float, float]) -> None:
        self.image = back
        self._draw = ImageDraw.Draw(back, "RGBA")
        self._tilt, self._shift = tilt, shift

    def fill(self, points: ArrayLike, colour: Sequence[float], opacity: float = 1.0) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._flat(points), fill=_rgba(colour, opacity))

    def line(self, points: ArrayLike, colour: Sequence[float], width: float = 1.0, opacity: float = 1.0) -> None:
        """Draw a line."""
        self._draw.line(
            self._flat(points), fill=_rgba(colour, opacity), width=max(round(width * LARGER), 1), joint="curve"
        )

    def ellipse(self, x: float, y: float, a: float, b: float, colour: Sequence[float], opacity: float = 1.0) -> None:
        """Fill an ellipse of half axes a and b."""
        self.fill(oval(x, y, a, b), colour, opacity)

    def _flat(self, points: ArrayLike) -> list[float]:
        flat: list[float] = (placed(points, self._tilt, self._shift) * LARGER).ravel().tolist()
        return flat


def placed(points: ArrayLike, tilt: float, shift: tuple[float, float]) -> Points:
    """Return where points `(N, 2)` of a head are in the picture when it is turned, by degrees, and shifted."""
    angle = np.deg2rad(tilt)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (np.asarray(points, np.float64) - _MIDDLE) @ turn + _MIDDLE + np.array(shift)


_MIDDLE = np.array([89.0, 130.0])


def oval(x: float, y: float, a: float, b: float, power: float = 2.0, count: int = 40) -> Points:
    """Return the outline of a superellipse, which is squarer for powers above 2."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    s, c = np.sin(angle), np.cos(angle)
    xs = a * np.sign(s) * np.abs(s) ** (2 / power)
    ys = -b * np.sign(c) * np.abs(c) ** (2 / power)
    return np.stack([x + xs, y + ys], axis=1)


def curve(xs: ArrayLike, ys: ArrayLike) -> Points:
    """Return points from their coordinates."""
    return np.stack(np.broadcast_arrays(np.asarray(xs, np.float64), np.asarray(ys, np.float64)), axis=1)


def mixed(first: Sequence[float], second: Sequence[float], share: float) -> tuple[float, ...]:
    """Return a colour between two."""
    return tuple((1 - share) * a + share * b for a, b in zip(first, second, strict=True))


def darker(colour: Sequence[float], share: float) -> tuple[float, ...]:
    """Return a darker colour."""
    return mixed(colour, (0, 0, 0), share)


def _rgba(colour: Sequence[float], opacity: float) -> tuple[int, int, int, int]:
    r, g, b = (int(np.clip(value, 0, 255)) for value in colour)
    return r, g, b, int(255 * opacity)
