"""Grey values scored by cross-entropy: an energy."""

from __future__ import annotations

from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.cross_entropy_energy import CrossEntropyEnergy
from pyro_mmvae.likelihoods.base import Likelihood


class CrossEntropy(Likelihood):
    """Minus the binary cross-entropy of grey values in [0, 1], from logits: an energy, **not a density**.

    Papers that report a bound of grey images often mean this. Estimators of log-likelihoods refuse it: use `Bernoulli`
    of binary values, or `Normal` or `Laplace` of grey ones.

    Args:
        event_shape: shape of one observed value.
    """

    normalised = False

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the energy of x_m, batch shape `lead`, from logits `(*lead, *event_shape)`."""
        return CrossEntropyEnergy(params, len(self.event_shape))

    def predict(self, params: Tensor) -> Tensor:
        """Return the grey values of least cross-entropy, shape `(*lead, *event_shape)`."""
        return params.sigmoid()

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3))
