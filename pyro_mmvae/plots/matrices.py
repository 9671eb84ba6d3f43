"""Matrices with their numbers, such as results by what is given and what is predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pyro_mmvae.plots.style import new_figure, save

Matrix = Mapping[str, Mapping[str, float]]
"""Numbers by row and column; NaN where there is none."""


def plot_matrices(
    matrices: Mapping[str, Matrix], path: str | Path, title: str, labels: tuple[str, str] = ("target", "given")
) -> Path:
    """Draw matrices side by side, coloured within each column from its least (dark) to its largest number.

    Numbers of one column can be compared; those of two often cannot, as what they are of differs in size.

    Args:
        matrices: by title.
        path: where the image goes.
        title: of the figure.
        labels: of columns and rows.

    Returns:
        The path.
    """
    shape = [(len(m), len(next(iter(m.values())))) for m in matrices.values()]
    width, height = sum(0.62 * columns + 1.3 for _, columns in shape), max(rows for rows, _ in shape)
    figure = new_figure(max(width, 6.5), 0.42 * height + 1.9)
    for axes, (name, matrix) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items(), strict=True):
        _draw(axes, name, matrix, labels)
    figure.suptitle(title)
    return save(figure, path)


def _draw(axes: Axes, name: str, matrix: Matrix, labels: tuple[str, str]) -> None:
    rows, columns = list(matrix), list(next(iter(matrix.values())))
    values = np.array([[matrix[row][column] for column in columns] for row in rows], float)
    # Infinite bounds where a column has no number at all; its shade is then NaN, and nothing is drawn.
    low = np.where(np.isnan(values), np.inf, values).min(axis=0)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    shade = (values - low) / np.where(high > low, high - low, 1)
    axes.imshow(shade, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if not math.isnan(value):
            colour = "white" if shade[i, j] < 0.6 else "black"
            axes.text(j, i, _short(value), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set(title=name, xlabel=labels[0], ylabel=labels[1])


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else (f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}")
