"""Leading dimensions, of which networks see one and plates make several; and small constants on a device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def over_leading(network: nn.Module, value: Tensor, event_dim: int = 1) -> Tensor:
    """Apply a network that knows one leading dimension to a tensor with several.

    Args:
        network: module `(N, *event) -> (N, *out)`.
        value: shape `(*lead, *event)`.
        event_dim: number of dimensions of the event.

    Returns:
        Shape `(*lead, *out)`.
    """
    lead = value.shape[: value.dim() - event_dim]
    out = network(value.reshape(-1, *value.shape[value.dim() - event_dim :]))
    return out.reshape(*lead, *out.shape[1:])


def constant(values: Sequence[float] | Sequence[Sequence[bool]], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a small tensor of Python numbers on a device, without waiting for the device.

    `torch.tensor(values, device=...)` waits until everything queued there is done.
    """
    return torch.tensor(values, dtype=dtype, device="cpu").to(device, non_blocking=True)
