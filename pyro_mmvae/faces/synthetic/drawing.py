"""Draws a synthetic face."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import HEIGHT, LARGER, WIDTH, Canvas, Points, curve, darker, mixed, placed
from .features import (
    MOUTH_Y,
    draw_cheeks,
    draw_eyes,
    draw_glasses,
    draw_mouth,
    draw_mustache,
    draw_nose,
    landmarks,
)
from .hair import X, draw_back, draw_hat, draw_top
from .traits import Face

_EYES_Y = 112.0


def draw_face(face: Face, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw a face in CelebA's frame, in which all eyes are at about the same place.

    Args:
        face: what is drawn.
        rng: of strands and of the camera's noise.

    Returns:
        The picture `(218, 178, 3)`, and the five landmarks in its pixels, `(5, 2)`.
    """
    canvas = Canvas(_background(face), face.tilt, face.shift)
    draw_back(canvas, face, rng)
    _draw_body(canvas, face)
    _draw_head(canvas, face)
    draw_cheeks(canvas, face)
    draw_eyes(canvas, face)
    draw_nose(canvas, face)
    draw_mouth(canvas, face)
    draw_mustache(canvas, face)
    draw_top(canvas, face, rng)
    draw_glasses(canvas, face)
    draw_hat(canvas, face)
    return _lit(np.asarray(canvas.image.reduce(LARGER), np.float32), face, rng), landmarks_of(face)


def landmarks_of(face: Face) -> NDArray[np.int64]:
    """Return eyes, nose and corners of the mouth in whole pixels of a face's picture, `(5, 2)`."""
    return np.rint(placed(landmarks(face), face.tilt, face.shift)).astype(np.int64)


def _background(face: Face) -> Image.Image:
    first, second = (Image.new("RGB", (WIDTH * LARGER, HEIGHT * LARGER), _whole(colour)) for colour in face.back)
    return Image.composite(first, second, _ramp())


@cache
def _ramp() -> Image.Image:
    across = np.linspace(0, 1, WIDTH * LARGER) * 0.5 + np.linspace(0, 1, HEIGHT * LARGER)[:, None] * 0.5
    return Image.fromarray((255 * across).astype(np.uint8))


def _draw_body(canvas: Canvas, face: Face) -> None:
    """Draw neck and shoulders."""
    wide = 78.0 if "Male" in face.has else 66.0
    place = np.linspace(-1, 1, 31)
    shoulders = curve(X + (wide + 22) * place, 196 + 26 * np.abs(place) ** 2.5)
    canvas.fill(np.concatenate([shoulders, [(X + 140, 250), (X - 140, 250)]]), face.clothes)
    neck = 26.0 if "Male" in face.has else 20.0
    canvas.fill(
        curve([X - neck, X + neck, X + neck + 4, X, X - neck - 4], [158, 158, 199, 214, 199]), darker(face.skin, 0.22)
    )


def outline(face: Face) -> Points:
    """Return the outline of the head: rounder above, squarer below for men."""
    jaw = 2.5 if "Male" in face.has else 2.05
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    s, c = np.sin(angle), np.cos(angle)
    below = c < 0
    power = np.where(below, jaw, 2.1)
    depth = np.where(below, MOUTH_Y + face.chin - _EYES_Y, _EYES_Y - 48)
    xs = face.width * np.sign(s) * np.abs(s) ** (2 / power)
    xs = np.where(below, xs * (1 - 0.10 * np.abs(c) ** 2), xs)
    return curve(X + xs, _EYES_Y - depth * np.sign(c) * np.abs(c) ** (2 / power))


def _draw_head(canvas: Canvas, face: Face) -> None:
    """Draw ears, skin, the shadow of a beard, wrinkles."""
    for side in (-1, 1):
        canvas.ellipse(X + side * (face.width + 1), 119, 6, 12, darker(face.skin, 0.12))
        canvas.ellipse(X + side * (face.width + 1.5), 119, 3, 7, darker(face.skin, 0.3))
    canvas.fill(outline(face), face.skin)
    if face.shadow:
        angle = np.linspace(-0.38 * np.pi, 0.38 * np.pi, 33)
        jaw = curve(X + face.width * 0.96 * np.sin(angle), MOUTH_Y - 24 + (face.chin + 22) * np.cos(angle))
        place = np.linspace(1, -1, 33)
        cheek = curve(X + 0.83 * face.width * place, 146 - 8 * (1 - place**2))
        canvas.fill(np.concatenate([jaw, cheek]), mixed(face.skin, (44, 44, 58), 0.75), 0.5 * face.shadow)
    if "Young" not in face.has:
        for y in (80, 86, 92):
            place = np.linspace(-1, 1, 13)
            canvas.line(curve(X + 24 * place, y - 1.5 * (1 - place**2)), darker(face.skin, 0.35), 1.0, 0.5)
        for side in (-1, 1):
            under = curve(X + side * np.array([12.0, 20.0, 27.0]), [121, 123.5, 121])
            canvas.line(under, darker(face.skin, 0.4), 1.0, 0.6)


def _lit(picture: NDArray[np.float32], face: Face, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light a face from a side, darken its rim, add a camera's noise."""
    x, y, rim = _frame()
    light = rim * (1 + np.float32(face.light[0]) * x + np.float32(face.light[1]) * y)
    noise = rng.standard_normal(picture.shape[:2], np.float32) * np.float32(2.5)
    picture = picture * light[..., None] + noise[..., None]
    lit: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return lit


@cache
def _frame() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return coordinates from about -1 to 1, and how bright a face is that is lit from the front."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    radius = np.hypot((x - X) / 48, (y - 118) / 70)
    rim = 1 - 0.25 * radius**3 * np.clip((1.12 - radius) / 0.25, 0, 1)
    return (x - X) / 60, (y - 118) / 80, rim.astype(np.float32)


def _whole(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])
