"""What is behind the hands: a colour gradient, soft texture and clutter."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

_COARSE = 80  # pixels at which what is smooth is computed


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours in 0..1, most of them muted as rooms are, (count, 3)."""
    grey = rng.uniform(0.05, 0.95, (count, 1))
    saturation = rng.beta(1.0, 2.5, (count, 1))
    return (grey + saturation * (rng.uniform(0.0, 1.0, (count, 3)) - grey)).clip(0, 1)


def _enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    """A small picture (h, w, 3) in 0..1 as a smooth large one, float32."""
    coarse = Image.fromarray((255 * picture.clip(0, 1)).astype(np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Soft noise of three octaves, (H, W, 3), within -1..1."""
    total = np.zeros((_COARSE, _COARSE, 3), dtype=np.float32)
    weights = rng.uniform([0.4, 0.2, 0.0], [1.0, 1.0, 0.8]) / np.sqrt([3, 9, 30])
    for cells, weight in zip((3, 9, 30), weights / weights.sum(), strict=True):
        noise = rng.uniform(0, 1, (cells, cells, 3))
        total += weight * _enlarged(0.6 * noise.mean(-1, keepdims=True) + 0.4 * noise, _COARSE)
    return 2 * _enlarged(total, size) - 1


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """From one colour to another across the picture, (H, W, 3)."""
    start, end = _colours(rng, 2)
    angle = rng.uniform(0, 2 * np.pi)
    v, u = np.mgrid[0:_COARSE, 0:_COARSE] / _COARSE - 0.5
    t = (0.5 + (u * np.cos(angle) + v * np.sin(angle)) / 1.5)[..., None]
    return _enlarged(start + t * (end - start), size)


def _shape(draw: ImageDraw.ImageDraw, rng: np.random.Generator, size: int) -> None:
    colour = tuple(int(c) for c in 255 * _colours(rng, 1)[0])
    centre, half = rng.uniform(0, size, 2), rng.uniform(0.03, 0.25, 2) * size
    kind = rng.integers(4)
    if kind == 0:
        draw.ellipse([*(centre - half), *(centre + half)], fill=colour)
    elif kind == 1:
        draw.line(
            [tuple(p) for p in rng.uniform(0, size, (2, 2))],
            fill=colour,
            width=int(rng.integers(2, 16) * size / 320) + 1,
        )
    else:
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 6))))
        points = centre + half * np.stack([np.cos(corners), np.sin(corners)], axis=1)
        draw.polygon([tuple(p) for p in points], fill=colour)


def sample_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A picture without hands, (H, W, 3) float32 in 0..1."""
    image = Image.fromarray((255 * _gradient(rng, size)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 14))):
        _shape(draw, rng, size)
    texture = np.float32(rng.uniform(0.05, 0.6)) * _texture(rng, size)
    return (np.asarray(image, np.float32) / 255 * (1 + texture)).clip(0, 1)
