"""Heat maps of joints over images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from pyro_mmvae.plots.style import as_array, check_samples, panels, save, show_image


def plot_heatmaps(
    images: Tensor | ArrayLike,
    true: Tensor | ArrayLike,
    decoded: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
) -> Path:
    """Lay the largest value over all joints of true and decoded heat maps over the images.

    Each row has a scale of its own, whose largest value is written beside its name: decoded maps that are still faint
    show where they have begun to rise.

    Args:
        images: (N, 3, H, W) in [0, 1]; a column each.
        true: (N, J, h, w) heat maps of the same view, of any resolution.
        decoded: the same by name; a row each below the true ones.
        path: where the image goes.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    pictures = as_array(images)
    rows = {"true": as_array(true), **{name: as_array(maps) for name, maps in decoded.items()}}
    check_samples((None, 3, None, None), images=pictures)
    check_samples((len(pictures), *rows["true"].shape[1:]), **rows)
    tops = [max(float(np.nan_to_num(maps).max()), 1e-6) for maps in rows.values()]
    names = [f"{name}\nlargest value {top:.2g}" for name, top in zip(rows, tops, strict=True)]
    figure, axes = panels(names, len(pictures), size=2.2)
    height, width = pictures.shape[2:]
    for maps, row, top in zip(rows.values(), axes, tops, strict=True):
        for sample, panel in enumerate(row):
            show_image(panel, pictures[sample])
            share = np.clip(np.nan_to_num(maps[sample].max(0) / top), 0, 1)
            shown = panel.imshow(
                share,
                cmap="inferno",
                vmin=0,
                vmax=1,
                alpha=share,
                extent=(-0.5, width - 0.5, height - 0.5, -0.5),
                interpolation="bilinear",
            )
    figure.colorbar(
        shown,
        ax=axes,
        fraction=0.04,
        shrink=0.7,
        pad=0.01,
        aspect=30,
        label="largest value over the joints, as a share of the row's",
    )
    figure.suptitle("Heat maps over the images")
    return save(figure, path)
