"""Binary images from grey ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CHUNK = 4096


def binarise(images: Tensor, *key: int) -> Tensor:
    """Draw binary values with the grey values as probabilities (Salakhutdinov and Murray 2008).

    Args:
        images: uint8 on the host, shape `(N, *event)`; 255 is probability one.
        key: non-negative integers; the same key gives the same draw.

    Returns:
        Zeros and ones, uint8, of the same shape.
    """
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))
    drawn = torch.empty_like(images)
    for begin in range(0, len(images), CHUNK):
        part = images[begin : begin + CHUNK]
        # Of the 255 equally likely numbers 0 ... 254, as many are below a grey value as it says.
        drawn[begin : begin + CHUNK] = torch.empty_like(part).random_(0, 255, generator=generator) < part
    return drawn
