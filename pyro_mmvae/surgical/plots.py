"""Figures of surgical views: segmentations over images, sheets under rising noise, scores over noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pyro_mmvae.plots.style import as_array, check_samples, curve_colours, new_figure, panels, save, show_image
from pyro_mmvae.surgical.layout import CLASSES

TINTS = ("#000000", "#a6192e", "#f0c040", "#4f9d8a", "#2f6fd0", "#d48ae6")
"""Colours of the classes that can be told apart on tissue."""
_TABLE = np.array([[int(tint[i : i + 2], 16) / 255 for i in (1, 3, 5)] for tint in TINTS])


def show_segmentation(axes: Axes, image: NDArray[Any], classes: NDArray[Any], strength: float = 0.55) -> None:
    """Lay the classes (M, M) of the same view over an image (3, H, W), which is greyed."""
    grey = np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    show_image(axes, grey)
    height, width = image.shape[1:]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(_TABLE[classes], alpha=strength, extent=extent, interpolation="nearest")


def plot_segmentations(
    images: Tensor | ArrayLike,
    true: Tensor | ArrayLike,
    predicted: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
    titles: Sequence[str] = (),
    below: Tensor | ArrayLike | None = None,
) -> Path:
    """Show images, and true and predicted segmentations over them; a column for each sample.

    Args:
        images: (N, 3, H, W) in [0, 1], as the model saw them.
        true: (N, M, M) class numbers of the same views.
        predicted: the same by name; a row each.
        path: where the figure goes.
        titles: of the columns, e.g. how strong the noise is.
        below: (N, 3, H, W), what segmentations are laid over, e.g. images without the noise. None: the images.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    pictures = as_array(images)
    clean = pictures if below is None else as_array(below)
    rows = {"truth": as_array(true), **{name: as_array(value) for name, value in predicted.items()}}
    check_samples((None, 3, None, None), images=pictures, below=clean)
    check_samples((len(pictures), *rows["truth"].shape[1:]), **rows)
    figure, axes = panels(["image", *rows], len(pictures), size=1.55)
    for sample, picture in enumerate(pictures):
        show_image(axes[0, sample], picture)
        for row, classes in zip(axes[1:], rows.values(), strict=True):
            show_segmentation(row[sample], clean[sample], classes[sample])
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=9)
    _legend(figure)
    return save(figure, path)


def _legend(figure: Figure) -> None:
    handles = [Patch(color=tint, label=name) for tint, name in zip(TINTS, CLASSES, strict=True)][1:]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)


def plot_sweep(found: Mapping[str, Any], baseline: Mapping[str, float], path: str | Path) -> Path:
    """Draw IoU over the noise of each sensor, and below it what the guide trusts, if it weighs its inputs.

    Args:
        found: see `pyro_mmvae.surgical.evaluation.sweep`.
        baseline: IoU by name of predictions that look at nothing.
        path: where the figure goes.
    """
    weighed = any("weights" in rows for rows in found.values())
    figure = new_figure(4.6 * len(found), 3.4 * (1 + weighed))
    axes = figure.subplots(1 + weighed, len(found), squeeze=False, sharex="col")
    units = {"rgb": "share of pixels that are random", "cloud": "standard deviation of points, in their unit"}
    for column, (sensor, rows) in enumerate(found.items()):
        top = axes[0, column]
        for (name, values), colour in zip(rows["iou"].items(), curve_colours(len(rows["iou"])), strict=True):
            top.plot(rows["levels"], values, marker="o", color=colour, label=name)
        for (name, value), style in zip(baseline.items(), (":", "--"), strict=False):
            top.axhline(value, color="0.5", linestyle=style, label=name.replace("_", " "))
        top.set(title=f"noise of {sensor} in all views", ylim=(0, 1), ylabel="IoU" if not column else "")
        if weighed:
            _plot_weights(axes[1, column], rows, first=not column)
        axes[-1, column].set_xlabel(units[sensor])
        for axis in axes[:, column]:
            axis.grid(alpha=0.4)
    axes[0, -1].legend(frameon=False, fontsize=8)
    return save(figure, path)


def _plot_weights(axes: Axes, rows: Mapping[str, Any], first: bool) -> None:
    for (name, values), colour in zip(rows["weights"].items(), curve_colours(2), strict=False):
        axes.plot(rows["levels"], values, marker="o", color=colour, label=f"weight of {name}")
    axes.set(ylim=(0, 1), ylabel="mean weight" if first else "")
    axes.legend(frameon=False, fontsize=8)
