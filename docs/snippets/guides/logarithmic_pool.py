"""Logarithmic opinion pool."""

from __future__ import annotations

from pyro.distributions import TorchDistribution

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import product_of_normals
from pyro_mmvae.guide import ExpertGuide


class LogarithmicPool(ExpertGuide):
    """Geometric mean of the observed experts, q(z) ~ prod_m q_m(z)^(1/|S|) over the observed subset S.

    Unlike in a product, the posterior does not grow narrower merely because more modalities are there.
    """

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the geometric mean, or the prior where nothing is observed."""
        experts = self.experts(self.features(batch))  # loc and scale, (B, M, D) each
        observed = self.observed(batch).unsqueeze(-1)  # (*lead, B, M, 1)
        power = observed / observed.sum(dim=-2, keepdim=True).clamp_min(1)
        return product_of_normals(experts.loc, power * experts.scale.pow(-2))
