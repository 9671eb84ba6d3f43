"""The precision that sums of weights are kept in: what the device has."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_WITHOUT_DOUBLE = frozenset({"mps"})


def precise(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on a device that has no more (Apple's `mps`)."""
    return torch.float32 if device.type in _WITHOUT_DOUBLE else torch.float64


def on_host(value: Tensor) -> Tensor:
    """Return the values in float64 in the computer's own memory; converted there, as devices may lack float64."""
    return value.detach().cpu().double()


def from_host(array: np.ndarray, like: Tensor) -> Tensor:
    """Return numbers in the precision and on the device of a tensor."""
    return torch.from_numpy(array).to(like.dtype).to(like.device)
