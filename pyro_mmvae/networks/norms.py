"""Normalisation layers that do not mix the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

Norm = Callable[[int], nn.Module]
"""Makes the normalisation layer of a number of channels, as `torch.nn.BatchNorm2d` and `group_norm` do."""


def group_norm(channels: int) -> nn.GroupNorm:
    """Return group normalisation with at most 8 groups (Wu & He, 2018, arXiv:1803.08494).

    Batch statistics are a poor fit for multimodal VAEs: a decoder sees particles, terms and samples as rows
    of one batch, an encoder sees zero-filled rows where its modality is missing, and both would make a
    sample's result depend on its neighbours, on the chunk it was evaluated in, and on the number of devices.

    Args:
        channels: number of channels of the input, dimension 1.
    """
    return nn.GroupNorm(math.gcd(channels, 8), channels)
