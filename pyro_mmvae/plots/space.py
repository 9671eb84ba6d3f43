"""Three-dimensional axes for things seen by a camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def upright(points: NDArray[Any]) -> NDArray[Any]:
    """Map camera axes (x right, y down, z away) to plot axes (x right, y away, z up), shape (..., 3)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def frame_cube(axes: Any, clouds: Sequence[NDArray[Any]]) -> None:
    """Give the panel equal scales that hold all clouds (P, 3), given in camera axes, and label its axes."""
    points = upright(np.concatenate(clouds))
    low, high = points.min(0), points.max(0)
    centre, half = (low + high) / 2, max((high - low).max() / 2, 1e-9) * 1.05
    axes.set(xlim=_around(centre[0], half), ylim=_around(centre[1], half), zlim=_around(centre[2], half))
    axes.set_box_aspect((1, 1, 1), zoom=1.05)
    axes.view_init(elev=15, azim=-70)
    axes.set_xlabel("x", labelpad=-10, fontsize=8)
    axes.set_ylabel("z", labelpad=-10, fontsize=8)
    axes.set_zlabel("-y", labelpad=-13, fontsize=8)
    axes.tick_params(labelsize=6, pad=-4)
    axes.locator_params(nbins=4)


def _around(centre: float, half: float) -> tuple[float, float]:
    return centre - half, centre + half
