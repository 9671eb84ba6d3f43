"""Grids of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import ArrayLike
from torch import Tensor

from pyro_mmvae.plots.style import as_array, new_figure, panels, save, show_image


def plot_images(rows: Mapping[str, Tensor | ArrayLike], path: str | Path, title: str, size: float = 0.9) -> Path:
    """Show pictures in rows, in colour or grey.

    Args:
        rows: values in [0, 1] by name, shapes `(N, 3, H, W)` or `(N, 1, H, W)`; a row may have fewer than the first.
        path: where the image goes.
        title: of the figure.
        size: side of an image in inches.

    Returns:
        The path.
    """
    columns = max(len(as_array(images)) for images in rows.values())
    longest = max(len(line) for name in rows for line in name.split("\n"))
    figure = new_figure(max(size * columns + 0.065 * longest + 0.3, 6.5), 1.06 * size * len(rows) + 0.5)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for (name, images), line in zip(rows.items(), axes, strict=True):
        for panel in line:
            panel.set(xticks=[], yticks=[])
            panel.set_frame_on(False)
        for image, panel in zip(as_array(images), line, strict=False):
            show_image(panel, image if len(image) == 3 else image.repeat(3, 0))
        line[0].text(-0.08, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=8)
    figure.suptitle(title)
    return save(figure, path)


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
