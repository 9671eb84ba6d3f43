"""Pictures made from a picture of a face: grey, edges, landmarks, half masked, watermarked."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import canny
from torch import Tensor

_GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601), as Pillow has them."""
OPACITY = 0.55
"""Of the watermark."""


def grey_of(colour: Tensor) -> Tensor:
    """Return grey pictures `(B, 1, S, S)` of colours `(B, 3, S, S)`."""
    weights = torch.tensor(_GREY, dtype=colour.dtype, device=colour.device)
    return torch.einsum("bcij,c->bij", colour, weights).unsqueeze(1)


def edges_of(grey: NDArray[np.floating], sigma: float = 1.0) -> NDArray[np.bool_]:
    """Return where Canny's detector (1986, doi:10.1109/TPAMI.1986.4767851) finds edges in a grey picture `(S, S)`.

    scikit-image's, as in "Generalizing multimodal variational methods to sets", section 4.3, and Wu and Goodman (2018,
    arXiv:1802.05335). Neither prints its settings: those here are scikit-image's defaults.

    Args:
        grey: values in [0, 1].
        sigma: of the Gaussian that smooths first, in pixels.
    """
    found: NDArray[np.bool_] = canny(grey, sigma=sigma)
    return found


def landmark_picture(points: NDArray[np.floating], side: int) -> NDArray[np.bool_]:
    """Return discs at the landmarks, white on black, `(B, 1, S, S)`.

    Ours: the papers draw the 68 points that dlib's model finds; CelebA gives five.

    Args:
        points: in pixels, `(B, 5, 2)`.
        side: S.
    """
    place = np.arange(side)
    radius = max(side / 24, 1.0)
    across = (place - points[..., 0, None]) ** 2  # (B, 5, S)
    down = (place - points[..., 1, None]) ** 2
    inside: NDArray[np.bool_] = (down[..., :, None] + across[..., None, :] <= radius**2).any(axis=1, keepdims=True)
    return inside


def half_masked(colour: Tensor) -> Tensor:
    """Return pictures whose right half is black, as Wu and Goodman (2018) have it in their code."""
    masked = colour.clone()
    masked[..., colour.shape[-1] // 2 :] = 0
    return masked


def watermarked(colour: Tensor) -> Tensor:
    """Return pictures under a white watermark, always the same one.

    Ours, as the papers' is not published: a ring around an open one, and two bars across.
    """
    cover = torch.from_numpy(watermark(colour.shape[-1])).to(colour)
    return colour + cover * (1 - colour)


@cache
def watermark(side: int) -> NDArray[np.float32]:
    """Return the opacity of the watermark, `(S, S)`."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    radius, thick = np.hypot(x, y), 0.07
    sharp = side / 2  # pixels for each unit
    open_ring = np.where(np.abs(np.arctan2(y, x)) < 0.7, 9.0, np.abs(radius - 0.38))
    bars = np.where(radius > 0.72, np.minimum(np.abs(x + y), np.abs(x - y)) / np.sqrt(2), 9.0)
    nearest = np.minimum(np.minimum(np.abs(radius - 0.72), open_ring), bars)
    cover: NDArray[np.float32] = (OPACITY * np.clip((thick - nearest) * sharp + 0.5, 0, 1)).astype(np.float32)
    return cover
