"""Colours of what is shown, one for each item in turn."""

from __future__ import annotations

import numpy as np

from .load import Item

_PALETTE = ((0.12, 0.47, 0.71), (0.90, 0.33, 0.05), (0.17, 0.63, 0.17), (0.58, 0.40, 0.74), (0.55, 0.34, 0.29))


def item_colour(number: int) -> tuple[float, float, float]:
    """RGB in 0..1 of item `number`."""
    return _PALETTE[number % len(_PALETTE)]


def point_colours(item: Item, number: int) -> np.ndarray:
    """RGB in 0..1 of every point of an item, (P, 3)."""
    if item.colors is not None:
        return item.colors / 255.0
    return np.tile(item_colour(number), (len(item.points), 1))
