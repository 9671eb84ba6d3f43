"""Product of experts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import product_of_normals
from pyro_mmvae.guide import ExpertGuide
from pyro_mmvae.modality import Modality


class PoE(ExpertGuide):
    """Product of Gaussian experts (Wu & Goodman 2018, arXiv:1802.05335; Gupta 2021, eq. 5.7-5.9).

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        prior_expert: multiply with the prior N(0, I) too, for every subset, single modalities included. With it
            the exact posterior is a member of the family wherever q_m(z) = p(z | x_m) / p(z) up to a constant.
    """

    def __init__(self, modalities: Sequence[Modality], latent_dim: int, *, prior_expert: bool = True) -> None:
        super().__init__(modalities, latent_dim)
        self.prior_expert = prior_expert

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the product of the observed experts."""
        experts = self.experts(self.features(batch))
        observed = self.observed(batch).unsqueeze(-1)
        precision = torch.where(observed, experts.scale.pow(-2), 0.0)
        return product_of_normals(experts.loc, precision, prior_precision=float(self.prior_expert))
