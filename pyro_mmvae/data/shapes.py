"""Ten kinds of rendered shapes with labels: a set that stands in for clothes where nothing can be downloaded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pyro_mmvae.data.labelled_images import CLASSES, SIDE, LabelledImages

_SCALE = 4
"""Shapes are drawn larger by this factor and shrunk, so that edges are smooth."""
POLYGONS = {0: 3, 1: 4, 2: 5, 3: 6}
"""Corners of the regular polygons, by class."""
STARS = {4: 4, 5: 5, 6: 6}
"""Points of the stars, by class; 7 is a disc, 8 a ring, 9 a cross."""


def rendered_shapes(num_samples: int, seed: int = 0) -> LabelledImages:
    """Draw shapes of uniform class, with size, aspect and slant as continuous factors of variation.

    Args:
        num_samples: N.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, num_samples)
    factors = rng.uniform(-1, 1, (num_samples, 3))
    images = np.stack([_render(int(label), *factor) for label, factor in zip(labels, factors, strict=True)])
    return LabelledImages.of(images, labels, "rendered shapes")


def _render(label: int, size: float, aspect: float, slant: float) -> NDArray[np.uint8]:
    side = SIDE * _SCALE
    canvas = Image.new("L", (side, side))
    draw = ImageDraw.Draw(canvas)
    radius = side * (0.32 + 0.1 * size)
    shape = np.array([[1 + 0.25 * aspect, 0.35 * slant], [0.0, 1 - 0.25 * aspect]])

    def place(points: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in radius * points @ shape.T + side / 2]

    draw.polygon(place(_outline(label)), fill=255)
    if label == 8:
        draw.polygon(place(0.55 * _outline(label)), fill=0)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8)


def _outline(label: int) -> NDArray[np.float64]:
    """Return the corners of a shape of radius one, shape `(corners, 2)`."""
    if label == 9:
        arm, tip = 0.3, 0.95
        corner = [(-arm, -tip), (arm, -tip), (arm, -arm), (tip, -arm), (tip, arm), (arm, arm)]
        return np.array([*corner, (arm, tip), (-arm, tip), (-arm, arm), (-tip, arm), (-tip, -arm), (-arm, -arm)])
    radii = np.tile([1.0, 0.42], STARS[label]) if label in STARS else np.ones(POLYGONS.get(label, 40))
    angle = np.arange(len(radii)) * (2 * math.pi / len(radii)) - math.pi / 2
    return radii[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
