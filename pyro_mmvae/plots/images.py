"""Grids of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import ArrayLike
from torch import Tensor

from pyro_mmvae.plots.style import as_array, panels, save, show_image


def plot_grey_images(
    rows: Mapping[str, Tensor | ArrayLike], path: str | Path, title: str, size: float = 0.75, upright: bool = False
) -> Path:
    """Show grey images in rows, ink on white.

    Args:
        rows: values in [0, 1], 1 is ink, by name, shapes `(N, H, W)` with one N.
        path: where the image goes.
        title: of the figure.
        size: side of an image in inches.
        upright: write the names of the rows horizontally.

    Returns:
        The path.
    """
    figure, axes = panels(list(rows), len(as_array(next(iter(rows.values())))), size=size)
    for images, line in zip(rows.values(), axes, strict=True):
        for image, panel in zip(as_array(images), line, strict=True):
            show_image(panel, 1 - image[None].repeat(3, 0))
        if upright:
            line[0].texts[0].set(rotation=0, fontsize=8)
    figure.suptitle(title)
    return save(figure, path)
