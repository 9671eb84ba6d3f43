"""Cross-correlation matrices of latents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pyro_mmvae.plots.style import as_array, new_figure, save


def plot_cross_correlations(
    matrices: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
    names: tuple[str, str] = ("first", "second"),
) -> Path:
    """Draw cross-correlation matrices of two posteriors' latents side by side (Gupta 2021, Fig. 6.1 and 6.2).

    All are on the scale from -1, blue, over 0, white, to 1, red. Above each stand the mean of its diagonal, which the
    penalty pushes to one, and the root mean square of the rest, which it pushes to zero. The thesis does not say over
    how many samples its matrices are taken: those that are not correlated at all still show about 1 / sqrt(B) there.

    Args:
        matrices: (D, D) by the title of the panel, e.g. without and with the penalty, from
            `pyro_mmvae.cross_correlation.cross_correlation`.
        path: where the image goes.
        names: of the two posteriors, whose dimensions are the rows and the columns.

    Returns:
        The path.

    Raises:
        ValueError: there is no matrix, one is not square, or one holds something else than correlations.
    """
    values = {title: as_array(matrix) for title, matrix in matrices.items()}
    if not values:
        raise ValueError("expected at least one matrix, got none")
    for title, matrix in values.items():
        _check(title, matrix)
    figure = new_figure(0.9 + 3.9 * len(values), 4.6)
    axes = figure.subplots(1, len(values), squeeze=False)[0]
    for panel, (title, matrix) in zip(axes, values.items(), strict=True):
        shown = _draw(panel, title, matrix)
        panel.set_xlabel(f"dimension of {names[1]}")
    axes[0].set_ylabel(f"dimension of {names[0]}")
    figure.colorbar(shown, ax=axes, label="correlation over samples", shrink=0.8, pad=0.02)
    figure.suptitle(f"Cross-correlation of latents: {names[0]} and {names[1]}")
    return save(figure, path)


def _draw(axes: Axes, title: str, matrix: NDArray[Any]) -> AxesImage:
    shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    rest = matrix[~np.eye(len(matrix), dtype=bool)]
    off = f", off it {np.sqrt(np.mean(rest**2)):.2f} (rms)" if rest.size else ""
    axes.set_title(f"{title}\nmean of the diagonal {np.diagonal(matrix).mean():z.2f}{off}", fontsize=10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return shown


def _check(title: str, matrix: NDArray[Any]) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"expected {title!r} of shape (D, D), got {matrix.shape}")
    if not (np.isfinite(matrix).all() and np.abs(matrix).max() <= 1 + 1e-4):
        raise ValueError(
            f"expected correlations from -1 to 1 in {title!r}, got {matrix.min():.3g} to {matrix.max():.3g}"
        )
