"""Clouds and hands in a window, by open3d."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyro_mmvae.data.open3d_import import import_open3d
from pyro_mmvae.hands.rhd_format import BONES

from .colours import item_colour, point_colours
from .load import Item


class NoDisplayError(RuntimeError):
    """There is no display to open a window on."""

    def __init__(self) -> None:
        super().__init__("no window can be opened: this machine has no display; use --save picture.png instead")


def has_display() -> bool:
    """Whether a window could be opened."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def geometries(items: Sequence[Item]) -> list[Any]:
    """open3d's geometries of the items: a cloud each, and for a hand the bones as a line set."""
    o3d = import_open3d()
    shapes: list[Any] = []
    for number, item in enumerate(items):
        points = o3d.utility.Vector3dVector(np.asarray(item.points, dtype=np.float64))
        cloud = o3d.geometry.PointCloud(points)
        cloud.colors = o3d.utility.Vector3dVector(point_colours(item, number))
        shapes.append(cloud)
        if item.is_hand:
            bones = o3d.geometry.LineSet(points, o3d.utility.Vector2iVector(np.array(BONES, dtype=np.int32)))
            bones.paint_uniform_color(item_colour(number))
            shapes.append(bones)
    return shapes


def show(items: Sequence[Item]) -> None:
    """Opens a window and waits until it is closed.

    Raises:
        ImportError: open3d cannot be imported; the message says how to install it.
        NoDisplayError: there is no display.
    """
    o3d = import_open3d()
    if not has_display():
        raise NoDisplayError
    window = o3d.visualization.Visualizer()
    if not window.create_window("pyro_mmvae", 1100, 850):
        raise NoDisplayError
    try:
        for shape in geometries(items):
            window.add_geometry(shape)
        window.get_render_option().point_size = 6
        _look_from_camera(window.get_view_control())
        window.run()
    finally:
        window.destroy_window()


def _look_from_camera(view: Any) -> None:
    """The first view is the camera's: x right, y down, z away."""
    view.set_front((0.0, 0.0, -1.0))
    view.set_up((0.0, -1.0, 0.0))
