"""Leading dimensions: networks see one, plates make several."""

from __future__ import annotations

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
