"""Flows of zuko as distributions of Pyro."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Distribution, constraints


class FlowDistribution(TorchDistribution):
    """A distribution of zuko's over real vectors, such as a flow given its context, that Pyro can sample from.

    It has no mean in closed form: a guide whose posterior it is overrides `Guide.point`. Under plates Pyro expands it;
    every particle and row has draws of its own.

    Args:
        flow: batch shape `batch` and event shape `(D,)`; has an `rsample`.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, flow: Distribution) -> None:
        self.flow = flow
        super().__init__(flow.batch_shape, flow.event_shape, validate_args=False)

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw samples, differentiable for the flow's parameters."""
        draws: Tensor = self.flow.rsample(torch.Size(sample_shape))
        return draws

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        density: Tensor = self.flow.log_prob(value)
        return density
