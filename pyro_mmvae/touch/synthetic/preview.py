"""A sheet of attempts to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyro_mmvae.plots.style import new_figure, save, show_image
from pyro_mmvae.touch.extra import import_extra
from pyro_mmvae.touch.layout import DATASETS, DEPTH, FORCE, RGB


def contact_sheet(root: str | Path, path: str | Path, rows: int = 4, columns: int = 8) -> Path:
    """Draw the first attempts of a set: pictures along time, and below them the force along the peg with contacts."""
    files = sorted(Path(root).glob("*.h5"))[:rows]
    figure = new_figure(1.35 * columns, 3.4 * len(files))
    grid = figure.add_gridspec(3 * len(files), columns, height_ratios=[1, 1, 0.8] * len(files))
    for row, name in enumerate(files):
        with import_extra("h5py").File(name) as file:
            arrays = {n: np.asarray(file[n]) for n in (DATASETS[RGB], DATASETS[DEPTH], DATASETS[FORCE], "contact")}
        steps = np.linspace(0, len(arrays["contact"]) - 1, columns).astype(int)
        for column, step in enumerate(steps):
            colour = arrays[DATASETS[RGB]][step].transpose(2, 0, 1) / 255
            show_image(figure.add_subplot(grid[3 * row, column]), colour)
            depth = ((arrays[DATASETS[DEPTH]][step].transpose(2, 0, 1) - 0.3) / 0.5).repeat(3, 0)
            show_image(figure.add_subplot(grid[3 * row + 1, column]), depth)
        axes = figure.add_subplot(grid[3 * row + 2, :])
        time = np.linspace(0, len(arrays["contact"]), arrays["contact"].size)
        forces = arrays[DATASETS[FORCE]].reshape(-1, 6)
        touched = arrays["contact"].ravel() > 0
        axes.fill_between(time, forces[:, :3].min(), forces[:, :3].max(), where=touched, color="0.9", linewidth=0)
        for axis, label in enumerate("xyz"):
            axes.plot(time, forces[:, axis], linewidth=0.7, label=f"force {label}, N")
        axes.set(xlim=(0, len(arrays["contact"])), xlabel="step (grey: contact)")
        axes.legend(fontsize=6, frameon=False, loc="upper left", ncols=3)
    return save(figure, path)
