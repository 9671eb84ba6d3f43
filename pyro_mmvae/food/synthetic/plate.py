"""Draws plates: pieces of every ingredient, one over another, on a plate on a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .menu import INGREDIENTS, Colour, Ingredient
from .pieces import SHAPES, TEXTURES

_RADIUS = 0.92
"""Of the plate, in halves of the picture's shorter side."""
_ROOM = 0.70
"""How far from the plate's centre pieces lie at most."""
_SHADOW = 0.06
"""Reach of a piece's shadow, in the same units."""
_BY_NAME = {ingredient.name: ingredient for ingredient in INGREDIENTS}
Picture = NDArray[np.float64]


def draw_plate(names: Sequence[str], size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw ingredients on a plate.

    Beds lie at the bottom and seeds on top; else pieces of all ingredients are mixed, so that what lies above hides
    some of what lies below. Light, colours and the place of the plate vary.

    Args:
        names: of ingredients; those that cannot be seen are left out.
        size: width and height in pixels.
        rng: of everything.

    Returns:
        Shape `(height, width, 3)`.

    Raises:
        KeyError: there is no such ingredient.
    """
    width, height = size
    unit = min(size) / 2
    middle = np.array([width / 2, height / 2]) + rng.uniform(-0.06, 0.06, 2) * unit
    picture = _table(size, rng)
    _draw_dish(picture, middle, unit, rng)
    chosen = [_BY_NAME[name] for name in names if _BY_NAME[name].shape]
    for ingredient in _in_layers(chosen, rng):
        _draw_piece(picture, ingredient, middle, unit, rng)
    light = rng.uniform(0.82, 1.12) * (1 + rng.normal(0, 0.03, 3))
    noise = rng.normal(0, 3.0, picture.shape)
    return np.clip(picture * light + noise, 0, 255).astype(np.uint8)


def _in_layers(chosen: Sequence[Ingredient], rng: np.random.Generator) -> list[Ingredient]:
    """Return an ingredient for each piece, in the order in which pieces are laid."""
    pieces = []
    for ingredient in chosen:
        layer = INGREDIENTS.index(ingredient) / len(INGREDIENTS)
        count = int(rng.integers(ingredient.pieces[0], ingredient.pieces[1] + 1))
        pieces += [(layer + rng.normal(0, 0.12), number, ingredient) for number in range(count)]
    return [ingredient for _, _, ingredient in sorted(pieces, key=lambda piece: piece[:2])]


def _table(size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Return wood or cloth."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    colour = np.array(_TABLES[rng.integers(len(_TABLES))], np.float64) * rng.uniform(0.85, 1.1)
    turn, pitch = rng.uniform(0, np.pi), min(size) / rng.uniform(5, 11)
    along = (x * np.cos(turn) + y * np.sin(turn)) / pitch
    grain = 1 + 0.08 * np.sin(2 * np.pi * along + 1.5 * np.sin(along * 2.7))
    return grain[..., None] * colour


_TABLES: tuple[Colour, ...] = (
    (150, 104, 64),
    (96, 66, 44),
    (186, 178, 166),
    (74, 84, 98),
    (176, 58, 52),
    (208, 196, 160),
)
_PLATES: tuple[Colour, ...] = ((246, 246, 244), (236, 228, 212), (92, 108, 128), (206, 220, 228), (58, 56, 58))


def _draw_dish(picture: Picture, middle: NDArray[np.float64], unit: float, rng: np.random.Generator) -> None:
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    radius = np.hypot(x - middle[0], y - middle[1]) / unit
    colour = np.array(_PLATES[rng.integers(len(_PLATES))], np.float64)
    shadow = np.clip((1.06 * _RADIUS - radius) / 0.1, 0, 1)[..., None]
    picture *= 1 - 0.35 * shadow
    shade = 1 - 0.10 * np.exp(-(((radius - 0.78) / 0.03) ** 2)) + 0.05 * (radius < 0.78)
    _blend(picture, np.clip((_RADIUS - radius) * unit + 0.5, 0, 1), np.clip(shade[..., None] * colour, 0, 255))


def _draw_piece(
    picture: Picture, ingredient: Ingredient, middle: NDArray[np.float64], unit: float, rng: np.random.Generator
) -> None:
    """Lay a piece somewhere on the plate, with a shadow on what is below."""
    half = ingredient.size * unit * rng.uniform(0.85, 1.15)
    reach = max(_ROOM - 0.6 * ingredient.size, 0.1) * np.sqrt(rng.uniform()) * unit
    angle, turn = rng.uniform(0, 2 * np.pi, 2)
    centre = middle + reach * np.array([np.cos(angle), np.sin(angle)])
    reaching = half + _SHADOW * unit + 1
    low = np.maximum(np.floor(centre - reaching), 0).astype(int)
    high = np.minimum(np.ceil(centre + reaching + 1), [picture.shape[1], picture.shape[0]]).astype(int)
    if (high <= low).any():
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float64)
    dx, dy = (x - centre[0]) / half, (y - centre[1]) / half
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    inside = SHAPES[ingredient.shape](u, v) * half
    under = picture[low[1] : high[1], low[0] : high[0]]
    under *= 1 - 0.30 * np.clip(1 + inside / (_SHADOW * unit), 0, 1)[..., None] ** 2
    share = TEXTURES[ingredient.texture](u, v, rng)[..., None]
    first, second = (np.array(colour, np.float64) for colour in ingredient.colours)
    colour = (first * (1 - share) + second * share) * (1 + rng.normal(0, 0.05)) * (1 - 0.10 * dy[..., None])
    _blend(under, np.clip(inside + 0.5, 0, 1), np.clip(colour, 0, 255))


def _blend(under: Picture, cover: NDArray[np.float64], colour: Picture) -> None:
    under += cover[..., None] * (colour - under)
