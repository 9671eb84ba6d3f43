"""Independent binary values, such as the pixels of a binarised image."""

from __future__ import annotations

from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.independent_bernoulli import IndependentBernoulli
from pyro_mmvae.likelihoods.base import Likelihood


class Bernoulli(Likelihood):
    """Bernoulli probability of every value, from logits.

    It is a probability of values 0 and 1 only. Grey values in between are refused while validation is on: draw
    binary values from them, or use `Normal` or `Laplace`.

    Args:
        event_shape: shape of one observed value.
    """

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from logits `(*lead, *event_shape)`."""
        return IndependentBernoulli(params, len(self.event_shape))

    def predict(self, params: Tensor) -> Tensor:
        """Return the probabilities of 1, shape `(*lead, *event_shape)`."""
        return params.sigmoid()

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3))
