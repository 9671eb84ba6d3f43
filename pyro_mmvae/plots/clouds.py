"""Point clouds, true and decoded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import ArrayLike
from torch import Tensor

from pyro_mmvae.plots.space import frame_cube, upright
from pyro_mmvae.plots.style import as_array, check_samples, panels, save


def plot_clouds(
    true: Tensor | ArrayLike,
    decoded: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
    units: str = "lengths of the reference bone",
) -> Path:
    """Draw true and decoded clouds in space, coloured by the distance from the camera.

    Args:
        true: (N, P, 3) points in camera axes (x right, y down, z away); a column each.
        decoded: (N, P', 3) by name; a row each below the true ones.
        path: where the image goes.
        units: name of the unit on the axes.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    rows = {"true": as_array(true), **{name: as_array(cloud) for name, cloud in decoded.items()}}
    check_samples((None, None, 3), **rows)
    figure, axes = panels(list(rows), len(rows["true"]), size=2.5, projection="3d")
    for clouds, row in zip(rows.values(), axes, strict=True):
        for sample, panel in enumerate(row):
            truth = rows["true"][sample]
            depth = clouds[sample][:, 2]
            near, far = truth[:, 2].min(), truth[:, 2].max()
            points = upright(clouds[sample]).T
            panel.scatter(*points, c=depth, s=9, cmap="viridis", vmin=near, vmax=far, linewidths=0)
            frame_cube(panel, [other[sample] for other in rows.values()])
    figure.suptitle(f"Point clouds, coloured by depth; x right, y down, z away from the camera\n[{units}]", fontsize=11)
    return save(figure, path)
