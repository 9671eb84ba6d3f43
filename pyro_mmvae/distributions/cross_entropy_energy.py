"""The cross-entropy of grey values, as an unnormalised log-density."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import torch
from torch.distributions import constraints

from pyro_mmvae.distributions.independent_bernoulli import IndependentBernoulli


class CrossEntropyEnergy(IndependentBernoulli):
    """Minus the binary cross-entropy of values in [0, 1], which many papers train grey images with.

    Its exponential does not integrate to one: of grey values it is neither a probability nor a density. Values of
    `log_prob` train a decoder, but must not be taken for nats, and nothing can be sampled.

    Args:
        logits: shape `(*batch, *event)`.
        event_dim: number of dimensions of the event.
        validate_args: as for every distribution.

    Attributes:
        normalised: False.
    """

    normalised: ClassVar[bool] = False

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        """Values from 0 to 1."""
        return constraints.independent(constraints.unit_interval, len(self.event_shape))

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> NoReturn:
        """Refuse: an energy has no sampler.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "CrossEntropyEnergy is an energy and cannot be sampled; use a Bernoulli, whose values are 0 and 1"
        )
