"""What all figures share: colours, the grid of panels, saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pyro_mmvae.files import replace_file

# Okabe and Ito's palette, which colour-blind readers can tell apart; black and yellow are kept for the truth.
CURVE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#555555")


def curve_colours(count: int) -> list[str]:
    """Return so many colours of curves; they come round again when there are no more."""
    return [CURVE_COLOURS[index % len(CURVE_COLOURS)] for index in range(count)]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, outside pyplot's global state."""
    return Figure(figsize=(width, height), layout="constrained")


def panels(
    names: Sequence[str], columns: int, size: float, projection: str | None = None
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure with one row of panels per name and a column per sample.

    Args:
        names: labels of the rows.
        columns: number of samples.
        size: side of a panel in inches.
        projection: "3d" or None.

    Returns:
        The figure and its axes, shape (rows, columns).
    """
    figure = new_figure(max(size * columns + 0.5, 6.5), size * len(names) + 0.9)
    options = {"projection": projection} if projection else {}
    axes = figure.subplots(len(names), columns, squeeze=False, subplot_kw=options)
    for name, row in zip(names, axes, strict=True):
        _label_row(row[0], name)
    return figure, axes


def _label_row(axes: Axes, name: str) -> None:
    """Write the name of a row left of its first panel; `text2D` is what three-dimensional axes call it."""
    write = getattr(axes, "text2D", axes.text)
    write(-0.06, 0.5, name, transform=axes.transAxes, rotation=90, ha="right", va="center", fontsize=11)


def show_image(axes: Axes, image: NDArray[Any], dim: float = 0.0) -> None:
    """Show an image (3, H, W) in [0, 1] without ticks, mixed with white by `dim`."""
    shown = np.clip(image.transpose(1, 2, 0), 0, 1) * (1 - dim) + dim
    axes.imshow(shown, interpolation="nearest")
    axes.set(xticks=[], yticks=[], xlim=(-0.5, image.shape[2] - 0.5), ylim=(image.shape[1] - 0.5, -0.5))


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure, whole or not at all, make its folder if need be, and return the path."""
    path = Path(path)
    replace_file(path, lambda partial: figure.savefig(partial, dpi=150, format=path.suffix[1:] or "png"))
    return path


def as_array(value: Tensor | ArrayLike) -> NDArray[Any]:
    """Return a tensor on any device, or anything that numpy takes, as an array."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def check_samples(wanted: tuple[int | None, ...], **values: NDArray[Any]) -> None:
    """Refuse arrays that do not have the wanted shape (None: any) or not as many samples as the first.

    Raises:
        ValueError: names the array, and what was expected.
    """
    count = len(next(iter(values.values())))
    for name, value in values.items():
        fits = value.ndim == len(wanted) and all(w in (None, s) for w, s in zip(wanted, value.shape, strict=True))
        if not fits or len(value) != count or count == 0:
            raise ValueError(f"expected {name} of shape {wanted} with {count} > 0 samples, got {value.shape}")
