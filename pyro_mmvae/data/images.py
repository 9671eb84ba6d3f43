"""Reading and warping colour images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pyro_mmvae.data.affine import invert_affine

_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, MemoryError),
    *(zlib.error, struct.error, Image.DecompressionBombError),
)


class UnreadableImageError(ValueError):
    """An image file is damaged or is no image."""


def read_image(path: Path, modes: Sequence[str]) -> Image.Image:
    """Read an image file to the last byte.

    Args:
        path: the file.
        modes: Pillow's names of the colour formats that the file may have, such as "RGB" or "L". Nothing is
            converted: depth or part ids in another format would turn into other numbers.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImageError: the file is truncated, damaged, no image, or of another format.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except FileNotFoundError:
        raise
    except _DAMAGED as error:
        raise UnreadableImageError(f"{path}: {error}") from error
    if image.mode not in modes:
        raise UnreadableImageError(f"{path}: expected an image of mode {' or '.join(modes)}, got {image.mode}")
    return image


def warp(image: NDArray[np.uint8], affine: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Resample an image under an affine map, bilinearly, in one go; black outside.

    Nothing is averaged: shrink the image first where the map shrinks it much.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        affine: (2, 3) map from the image's coordinates to the result's, pixel centres at integers.
        size: side of the square result.

    Returns:
        (size, size) or (size, size, 3) uint8.
    """
    inverse = invert_affine(affine)
    # Pillow counts pixel edges: its first pixel's centre is (0.5, 0.5), before and after.
    offset = inverse[:, 2] + 0.5 - inverse[:, :2].sum(axis=1) / 2
    data = (*inverse[0, :2], offset[0], *inverse[1, :2], offset[1])
    warped = Image.fromarray(image).transform(
        (size, size), Image.Transform.AFFINE, data, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(warped)


def to_tensor(image: NDArray[np.float32]) -> Tensor:
    """Turn an image (H, W, 3) in [0, 1] into a tensor (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
