"""Shapes and textures of pieces of food, as functions on a square from -1 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
Shape = Callable[[Field, Field], Field]
"""From coordinates to how far inside: positive inside, about 1 per half side."""
Texture = Callable[[Field, Field, np.random.Generator], Field]
"""From coordinates to the share of the second colour."""


def _ellipse(x: Field, y: Field, height: float) -> Field:
    return (1 - np.hypot(x, y / height)) * height


def _leaf(x: Field, y: Field) -> Field:
    return 0.42 * (1 - x**2) - np.abs(y)


def _clover(x: Field, y: Field) -> Field:
    angles = np.deg2rad([90, 18, 162, 250, 290])
    centres = [(0.5 * np.cos(a), -0.5 * np.sin(a)) for a in angles]
    return np.max([0.48 - np.hypot(x - cx, y - cy) for cx, cy in centres], axis=0)


def _crescent(x: Field, y: Field) -> Field:
    return np.minimum(0.95 - np.hypot(x, y), np.hypot(x, y - 0.45) - 0.72)


def _cap(x: Field, y: Field) -> Field:
    cap = np.minimum(0.9 - np.hypot(x, (y + 0.1) * 1.3), 0.12 - y)
    stem = np.minimum(0.24 - np.abs(x), np.minimum(0.8 - y, y + 0.1))
    return np.maximum(cap, stem)


def _blob(x: Field, y: Field) -> Field:
    angle = np.arctan2(y, x)
    return 0.78 + 0.14 * np.sin(3 * angle + 1) + 0.08 * np.sin(5 * angle) - np.hypot(x, y)


SHAPES: dict[str, Shape] = {
    "disc": lambda x, y: _ellipse(x, y, 1.0),
    "slab": lambda x, y: np.minimum(0.95 - np.abs(x), 0.42 + 0.06 * np.sin(3 * x) - np.abs(y)),
    "drop": lambda x, y: 0.62 * np.sqrt(np.clip(1 - x**2, 0, 1)) * (1 - 0.35 * x) - np.abs(y),
    "square": lambda x, y: 0.72 - np.maximum(np.abs(x), np.abs(y)),
    "crumb": lambda x, y: 0.7 + 0.2 * np.sin(4 * np.arctan2(y, x) + 2) - np.hypot(x, y),
    "crescent": _crescent,
    "ring": lambda x, y: 0.27 - np.abs(np.hypot(x, y) - 0.7),
    "cap": _cap,
    "clover": _clover,
    "bean": lambda x, y: 0.48 - np.hypot(0.55 * x, y - 0.25 * x**2 + 0.1),
    "grain": lambda x, y: _ellipse(x, y, 0.42),
    "leaf": _leaf,
    "blob": _blob,
    "strand": lambda x, y: np.minimum(0.045 - np.abs(y - 0.22 * np.sin(2.4 * x)), 0.98 - np.abs(x)),
}

TEXTURES: dict[str, Texture] = {
    "plain": lambda x, y, rng: np.clip(0.5 * (x + y), 0, 0.6),
    "stripes": lambda x, y, rng: _wave(3.2 * x + 0.7 * np.abs(y)),
    "grill": lambda x, y, rng: _edge(np.sin(9 * (x + 0.5 * y)) - 0.75, 6.0) * 0.9,
    "lengthwise": lambda x, y, rng: _wave(4 * y),
    "rings": lambda x, y, rng: _wave(2.2 * np.hypot(x, y)),
    "spokes": lambda x, y, rng: _spokes(x, y),
    "rim": lambda x, y, rng: _edge(np.hypot(x, y) - 0.82, 14.0),
    "yolk": lambda x, y, rng: _edge(0.42 - np.hypot(x - 0.1, y), 14.0),
    "veins": lambda x, y, rng: np.maximum(_edge(0.05 - np.abs(y), 30.0), 0.7 * _wave(3 * (x - 1.2 * np.abs(y)))),
    "speckle": lambda x, y, rng: _edge(rng.normal(size=x.shape) - 0.6, 2.0),
    "blotches": lambda x, y, rng: _blotches(x, y, rng),
}


def _wave(phase: Field) -> Field:
    return 0.5 + 0.5 * np.sin(2 * np.pi * phase)


def _edge(inside: Field, sharpness: float) -> Field:
    return np.clip(0.5 + sharpness * inside, 0, 1)


def _spokes(x: Field, y: Field) -> Field:
    radius = np.hypot(x, y)
    return _edge(np.cos(6 * np.arctan2(y, x)) - 0.2, 2.0) * (radius > 0.15) * (radius < 0.78)


def _blotches(x: Field, y: Field, rng: np.random.Generator) -> Field:
    centres = rng.uniform(-0.8, 0.8, (9, 2))
    nearest = np.min([np.hypot(x - cx, y - cy) for cx, cy in centres], axis=0)
    return _edge(0.14 - nearest, 8.0)
