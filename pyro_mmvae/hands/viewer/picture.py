"""Clouds and hands as a picture, without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyro_mmvae.hands.rhd_format import BONES

from .colours import item_colour, point_colours
from .load import Item

# Of camera coordinates (x right, y down, z away): what runs to the right and what runs up, with signs.
_VIEWS = {
    "from the camera": ((0, 1, "x"), (1, -1, "-y")),
    "from the side": ((2, 1, "z"), (1, -1, "-y")),
    "from above": ((0, 1, "x"), (2, 1, "z")),
}
View = tuple[tuple[int, int, str], tuple[int, int, str]]


def _seen(points: np.ndarray, view: View) -> np.ndarray:
    """Points (P, 2) of the picture."""
    return np.stack([sign * points[:, axis] for axis, sign, _ in view], axis=1)


def _draw(axes: Axes, item: Item, number: int, view: View) -> None:
    points = _seen(item.points, view)
    size = 18 if item.is_hand else 5
    axes.scatter(points[:, 0], points[:, 1], c=point_colours(item, number), s=size, label=item.name)
    if item.is_hand:
        bones = points[np.array(BONES)]
        axes.plot(bones[..., 0].T, bones[..., 1].T, color=item_colour(number), linewidth=1.5)


def save_picture(items: Sequence[Item], file: str | Path) -> Path:
    """Writes three views of the items side by side, in parallel projection.

    Args:
        items: clouds and hands in camera coordinates (x right, y down, z away), in one unit.
        file: where; the ending says in which format.

    Raises:
        ValueError: there is nothing to show, or the ending is of no known format.
    """
    if not any(len(item.points) for item in items):
        raise ValueError("expected at least one point to show, got none")
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    for place, (title, view) in enumerate(_VIEWS.items(), 1):
        axes = figure.add_subplot(1, len(_VIEWS), place)
        for number, item in enumerate(items):
            _draw(axes, item, number, view)
        axes.set(title=title, xlabel=view[0][2], ylabel=view[1][2])
        axes.set_aspect("equal", adjustable="datalim")
        axes.locator_params(nbins=6)
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.savefig(file, dpi=110)
    return Path(file)
