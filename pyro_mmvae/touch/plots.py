"""An attempt as a strip of pictures over what was felt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from pyro_mmvae.plots.style import CURVE_COLOURS, as_array, new_figure, save, show_image


@dataclass(frozen=True)
class Strip:
    """What is shown of an attempt of T samples, N of which as pictures.

    Attributes:
        colours: pictures in [0, 1] by the name of their row, `(N, 3, S, S)`.
        depths: metres, by name, `(N, 1, S, S)`; the first one sets the colours of all.
        force: as models see it, of all samples, `(T, 6, 32)`.
        psnr: of predicted pictures by name, dB, `(T,)`.
        steps: of the N pictures.
    """

    colours: Mapping[str, Tensor]
    depths: Mapping[str, Tensor]
    force: Tensor
    psnr: Mapping[str, Tensor]
    steps: list[int]


def plot_sequence(strip: Strip, path: str | Path, size: float = 1.15) -> Path:
    """Draw pictures and depths in rows along time, and below them force and PSNR (as Fig. 7 of the set VAE's paper)."""
    rows = [*strip.colours.items(), *strip.depths.items()]
    columns = len(strip.steps)
    figure = new_figure(size * columns + 1.2, size * (len(rows) + 3.2))
    grid = figure.add_gridspec(len(rows) + 2, columns, height_ratios=[1] * len(rows) + [1.3, 1.3])
    truth = as_array(next(iter(strip.depths.values())))
    low, high = np.quantile(truth, [0.01, 0.9])
    for row, (name, values) in enumerate(rows):
        for column, value in enumerate(as_array(values)):
            axes = figure.add_subplot(grid[row, column])
            near = ((value - low) / max(high - low, 1e-6)).repeat(3, 0) if len(value) == 1 else value
            show_image(axes, near)
            if row == 0:
                axes.set_title(f"step {strip.steps[column]}", fontsize=8)
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    felt = figure.add_subplot(grid[-2, :])
    mean = as_array(strip.force).mean(-1)
    for axis, (label, colour) in enumerate(zip("xyz", CURVE_COLOURS, strict=False)):
        felt.plot(mean[:, axis], color=colour, label=f"force {label}")
    felt.set(ylabel="force,\ntanh of scaled", xlim=(0, len(mean) - 1))
    felt.legend(frameon=False, fontsize=7, ncols=3)
    error = figure.add_subplot(grid[-1, :], sharex=felt)
    for (name, values), colour in zip(strip.psnr.items(), CURVE_COLOURS, strict=False):
        error.plot(as_array(values), color=colour, label=name)
    error.set(ylabel="PSNR, dB", xlabel="step")
    error.legend(frameon=False, fontsize=7, ncols=2)
    return save(figure, path)
