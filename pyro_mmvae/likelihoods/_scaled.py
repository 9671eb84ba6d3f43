"""Likelihoods with one positive scale, fixed or learned."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from pyro_mmvae.likelihoods.base import Likelihood

Scale = float | Literal["learned"]


class ScaledLikelihood(Likelihood):
    """A likelihood whose distribution has one scale for the whole event; abstract.

    Args:
        event_shape: shape of one observed value.
        scale: a fixed positive number, or `"learned"`: a parameter, trained with the networks.
        initial_scale: where the learned scale starts.

    Raises:
        ValueError: a scale that is not positive, or an unknown word.
    """

    def __init__(self, event_shape: tuple[int, ...], scale: Scale = 1.0, *, initial_scale: float = 1.0) -> None:
        super().__init__(event_shape)
        if isinstance(scale, str) and scale != "learned":
            raise ValueError(f"expected a positive number or 'learned' as scale, got {scale!r}")
        start = initial_scale if isinstance(scale, str) else float(scale)
        if not (start > 0 and math.isfinite(start)):
            raise ValueError(f"a scale must be positive and finite, got {start}")
        self.initial_scale = start
        self.log_scale = nn.Parameter(torch.tensor(math.log(start))) if scale == "learned" else None

    @property
    def scale(self) -> Tensor | float:
        """The scale: a number if fixed, a tensor of shape `()` if learned."""
        return self.initial_scale if self.log_scale is None else self.log_scale.exp()

    def scale_like(self, params: Tensor) -> Tensor:
        """Return the scale as a tensor of shape `()` on the device of the parameters."""
        if self.log_scale is not None:
            return self.log_scale.exp()
        # Filled on the device: no copy from the host. Half precision would be off by per cents of b.
        dtype = torch.promote_types(params.dtype, torch.float32)
        return torch.full((), self.initial_scale, dtype=dtype, device=params.device)
