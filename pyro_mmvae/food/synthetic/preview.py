"""A sheet of plates to look at."""

from __future__ import annotations

import textwrap
from itertools import islice
from pathlib import Path

import numpy as np

from pyro_mmvae.data.images import read_colour
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.food.yummly import recipes
from pyro_mmvae.plots.style import new_figure, save, show_image


def contact_sheet(root: str | Path, path: str | Path, columns: int = 5, rows: int = 3) -> Path:
    """Draw the first recipes of a set in Yummly's layout: pictures over their ingredient lines."""
    root = Path(root)
    figure = new_figure(2.9 * columns, 3.3 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, recipe in zip(panels, islice(recipes(root, SkipLog("recipes")), len(panels)), strict=False):
        picture = np.asarray(read_colour(root / recipe.images[0]), np.float32) / 255
        show_image(panel, picture.transpose(2, 0, 1))
        text = "\n".join(textwrap.fill(line, 42) for line in recipe.lines)
        panel.set_axis_on()
        panel.set_xlabel(text, loc="left", fontsize=5.5)
    return save(figure, path)
