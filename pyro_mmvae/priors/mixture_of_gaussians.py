"""A learned mixture of Gaussians."""

from __future__ import annotations

import math

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import nn
from torch.nn.functional import softplus

from pyro_mmvae.distributions.mixture import Mixture
from pyro_mmvae.priors.base import Prior

_START_SCALE = 0.5


class MixtureOfGaussians(Prior):
    """sum_k pi_k N(mu_k, diag(sigma_k^2)), everything learned (the baseline of Tomczak & Welling 2018, section 3).

    It starts near N(0, I): equal weights, standard deviations of one half, and means whose spread makes up the rest.

    Args:
        latent_dim: dimension D of z.
        num_components: number of components.
        min_scale: added to the standard deviations, so that a component does not collapse.

    Raises:
        ValueError: fewer than one component.
    """

    def __init__(self, latent_dim: int, *, num_components: int = 10, min_scale: float = 1e-3) -> None:
        super().__init__(latent_dim)
        if num_components < 1:
            raise ValueError(f"num_components: expected at least 1, got {num_components}")
        self.min_scale = min_scale
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.loc = nn.Parameter(torch.randn(num_components, latent_dim) * math.sqrt(1 - _START_SCALE**2))
        self.raw_scale = nn.Parameter(torch.full((num_components, latent_dim), math.log(math.expm1(_START_SCALE))))

    def forward(self) -> TorchDistribution:
        """Return the mixture."""
        components = dist.Normal(self.loc, softplus(self.raw_scale) + self.min_scale).to_event(1)
        return Mixture(dist.Categorical(logits=self.logits), components)
