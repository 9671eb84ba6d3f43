"""N(0, I)."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.priors.base import Prior


class StandardNormal(Prior):
    """N(0, I), which has no parameters. The default."""

    standard = True
    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> TorchDistribution:
        """Return N(0, I)."""
        return dist.Normal(self.loc, self.scale).to_event(1)
