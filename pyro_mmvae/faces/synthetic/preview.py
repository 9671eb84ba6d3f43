"""A sheet of faces to look at."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.attributes import DISTINCTIVE, in_words
from pyro_mmvae.faces.index import read_index
from pyro_mmvae.plots.style import new_figure, save, show_image


def contact_sheet(root: str | Path, path: str | Path, columns: int = 8, rows: int = 3) -> Path:
    """Draw the first faces of a set in CelebA's layout, with landmarks, over their distinctive attributes."""
    pictures = Pictures(root)
    index = read_index(root, pictures, landmarks=True)
    figure = new_figure(1.9 * columns, 2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[index.size :]:
        panel.set_axis_off()
    for number, panel in enumerate(panels[: index.size]):
        picture = np.asarray(pictures.read(index.names[number]), np.float32) / 255
        show_image(panel, picture.transpose(2, 0, 1))
        if index.landmarks is not None:
            panel.plot(*index.landmarks[number].T, "+", color="#56B4E9", markersize=5)
        has = [in_words(n) for n, there in zip(DISTINCTIVE, index.targets(DISTINCTIVE)[number], strict=True) if there]
        panel.set_xlabel(textwrap.fill(", ".join(has), 30), loc="left", fontsize=6)
    return save(figure, path)
