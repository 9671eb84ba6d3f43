"""Camera geometry of a hand crop: viewpoint correction and its inverse, projection, the affine crop.

Image coordinates count pixel centres: the centre of the first pixel is (0, 0). Camera coordinates are in metres,
x to the right, y down, z forward.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

MIRROR = np.diag([-1.0, 1.0, 1.0])
"""Turns a right hand into a left one."""
FLIP = np.diag([1.0, -1.0, 1.0])
"""Exchanges up and down: a reflection, after which a left hand looks like a right one."""


def rotation_x(angle: float) -> Array:
    """Return the (3, 3) rotation about the x axis."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(angle: float) -> Array:
    """Return the (3, 3) rotation about the y axis."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotation_z(angle: float) -> Array:
    """Return the (3, 3) rotation about the optical axis; it turns the image by the same angle."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def viewpoint_rotation(center: NDArray[Any], camera: NDArray[Any]) -> Array:
    """Return the rotation that takes the ray through an image point to the optical axis.

    A crop shows the hand as if the camera looked straight at it; cloud and joints have to be turned likewise.
    Gupta, thesis (2021), eq. 4.1-4.4, with the two rotations in the order that has this effect:
    `R_x(b) R_y(-a)`, `a = atan2(u - o_x, f)`, `b = atan2(c_y, c_z)`, `c = R_y(-a) [u - o_x, v - o_y, f]`.

    Args:
        center: (2,) the point (u, v) in pixels.
        camera: (3, 3) intrinsics K.

    Returns:
        (3, 3) rotation.
    """
    # K^-1 [u, v, 1] is [u - o_x, v - o_y, f] / f, and right for unequal focal lengths too.
    ray = np.linalg.solve(camera, np.array([center[0], center[1], 1.0]))
    turn = rotation_y(-math.atan2(ray[0], ray[2]))
    turned = turn @ ray
    return rotation_x(math.atan2(turned[1], turned[2])) @ turn


def project(points: NDArray[Any], camera: NDArray[Any]) -> Array:
    """Project camera coordinates (..., 3) to image coordinates (..., 2)."""
    image = points @ camera.T
    return image[..., :2] / image[..., 2:]


def back_project(pixels: NDArray[Any], depth: NDArray[Any], camera: NDArray[Any]) -> Array:
    """Return the camera coordinates of pixels.

    Args:
        pixels: (N, 2) image coordinates (u, v).
        depth: (N,) z in metres. Pixels without a measurement (zero, negative, NaN or infinite) are left out.
        camera: (3, 3) intrinsics K.

    Returns:
        (N', 3) metres.
    """
    valid = np.isfinite(depth) & (depth > 0)
    rays = np.column_stack([pixels[valid], np.ones(np.count_nonzero(valid))]) @ np.linalg.inv(camera).T
    return rays * depth[valid, None]


def crop_affine(
    center: NDArray[Any],
    half_size: float,
    size: int,
    *,
    mirrored: bool = False,
    zoom: float = 1.0,
    angle: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flipped: bool = False,
) -> Array:
    """Return the affine map from the image to a square crop: mirror, turn, flip, zoom, shift, in this order.

    Args:
        center: (2,) image point that comes to the crop's centre.
        half_size: half the crop's side in image pixels.
        size: the crop's side in its own pixels.
        mirrored: whether left and right change places.
        zoom: magnification beyond the crop's own.
        angle: rotation in radians, from the x axis towards the y axis.
        shift: translation in the crop's pixels.
        flipped: whether up and down change places.

    Returns:
        (2, 3) map of image coordinates to crop coordinates.
    """
    linear = rotation_z(angle)[:2, :2] * (zoom * size / (2 * half_size))
    if mirrored:
        linear = linear @ MIRROR[:2, :2]
    if flipped:
        linear = FLIP[:2, :2] @ linear
    target = np.array(shift) + (size - 1) / 2
    return np.column_stack([linear, target - linear @ np.asarray(center, dtype=np.float64)])


def undo_viewpoint(points: Tensor, scale: Tensor, root: Tensor, rotation: Tensor, mirrored: Tensor) -> Tensor:
    """Take joints or clouds of normalised hands back to the camera's coordinates.

    A normalised point is `rotation @ mirror @ (x - root) / scale`; this returns x.

    Args:
        points: (*lead, B, N, 3) root-relative, scaled points, predicted or true.
        scale: (B,) metres.
        root: (B, 3) metres, in camera coordinates.
        rotation: (B, 3, 3) viewpoint correction together with the augmentation's rotation and flip: orthogonal, and a
            reflection where flipped.
        mirrored: (B,) bool.

    Returns:
        (*lead, B, N, 3) metres, in the coordinates of the camera that took the picture.
    """
    turned = points @ rotation.to(points)  # rows times Q is Q^T times columns: the inverse
    sign = turned.new_ones(mirrored.shape[0], 1, 3)
    sign[..., 0] = 1 - 2 * mirrored.to(turned)[:, None]
    return turned * sign * scale.to(points)[:, None, None] + root.to(points)[:, None]
