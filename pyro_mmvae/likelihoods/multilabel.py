"""Several labels at once, such as the ingredients of a dish or the attributes of a face."""

from __future__ import annotations

from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.independent_bernoulli import IndependentBernoulli
from pyro_mmvae.likelihoods.base import Likelihood


class Multilabel(Likelihood):
    """Each of C labels is there or not, independently given z: event `(C,)` of zeros and ones, from logits `(C,)`.

    Args:
        num_labels: C.
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__((num_labels,))

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from logits `(*lead, C)`."""
        return IndependentBernoulli(params, 1)

    def predict(self, params: Tensor) -> Tensor:
        """Return the probability of each label, shape `(*lead, C)`."""
        return params.sigmoid()

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(4)
