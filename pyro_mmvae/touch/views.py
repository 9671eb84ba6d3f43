"""What a model sees of a sensor: pictures made smaller, depth without holes, the last forces."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pyro_mmvae.touch.layout import FARTHEST, NEAREST, WINDOW


class ViewOptions(NamedTuple):
    """How files become samples.

    Attributes:
        side: S of pictures, a divisor of that of the files.
        force_scale: newtons and newton metres by which forces and torques are divided before tanh takes the large ones;
            one each in MultiBench.
        action_mean: what is subtracted from actions, `(4,)`.
        action_std: by which they are divided then, `(4,)`.
        next_action: whether a sample has the action that follows what it shows, as in MultiBench, or the one that led
            there.
    """

    side: int = 64
    force_scale: tuple[float, float] = (1.0, 1.0)
    action_mean: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    action_std: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    next_action: bool = True


def view_rgb(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture `(3, S, S)`, every pixel the rounded mean over a square of an image `(H, H, 3)`."""
    if (cell := image.shape[0] // side) == 1:
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    total = image.reshape(side, cell, side, cell, 3).sum((1, 3), dtype=np.uint32)
    return ((total + cell * cell // 2) // (cell * cell)).astype(np.uint8).transpose(2, 0, 1)


def view_depth(depth: NDArray[Any], side: int) -> NDArray[np.float32] | None:
    """Return depth in metres, `(1, S, S)`, or None where the camera saw nothing at all.

    Depth that is not between 0 and 2 m is no reading: a pixel is the mean over the readings in a square, or, where
    there is none, as deep as the nearest pixel with one. The authors' networks see zeros there; a density of depths
    would be one of holes.
    """
    cell = depth.shape[0] // side
    cells = depth.astype(np.float32).reshape(side, cell, side, cell)
    read = (cells > NEAREST) & (cells < FARTHEST)  # NaN is neither
    count = read.sum((1, 3))
    if not count.any():
        return None
    mean = np.where(read, cells, 0).sum((1, 3)) / np.maximum(count, 1)
    if not (count > 0).all():
        rows, columns = ndimage.distance_transform_edt(count == 0, return_distances=False, return_indices=True)
        mean = mean[rows, columns]
    return mean.astype(np.float32)[None]


def view_force(force: NDArray[Any], scale: tuple[float, float]) -> NDArray[np.float32] | None:
    """Return the last readings, tanh of force over scale, `(6, 32)`; None if one of them is not finite."""
    window = np.asarray(force[-WINDOW:], np.float32)
    return np.tanh(window / np.repeat(np.array(scale, np.float32), 3)).T if np.isfinite(window).all() else None


def view_action(action: NDArray[Any], options: ViewOptions) -> NDArray[np.float32] | None:
    """Return an action `(4,)` less its mean over its deviation; None if it is not finite."""
    value = np.asarray(action, np.float32)
    if not np.isfinite(value).all():
        return None
    mean, std = np.array([options.action_mean, options.action_std], np.float32)
    scaled: NDArray[np.float32] = (value - mean) / std
    return scaled
