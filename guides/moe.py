"""Mixture of experts."""

from __future__ import annotations

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import mixture_of_normals
from pyro_mmvae.guide import ExpertGuide, masked_logits


class MoE(ExpertGuide):
    """The true mixture of the observed experts, equal weights (Shi et al. 2019, arXiv:1911.03393, section 3.1).

    It is a multimodal density. `moe_moments` is the single Gaussian that some papers call a mixture.
    """

    @property
    def num_components(self) -> int:
        """One component for each input."""
        return len(self.inputs)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Return the components' equal weights by input, each of shape `(*lead, B, D)`; see `Guide.weights`."""
        observed = self.observed(batch).to(next(self.parameters()).dtype)
        return self.by_input((observed / observed.sum(-1, keepdim=True).clamp_min(1)).unsqueeze(-1))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the mixture; a component without an observation has weight zero."""
        experts = self.experts(self.features(batch))
        observed = self.observed(batch)
        anything = observed.any(dim=-1)[..., None, None]
        shape = (*observed.shape, self.latent_dim)
        loc = torch.where(anything, experts.loc, 0.0).expand(shape)
        scale = torch.where(anything, experts.scale, 1.0).expand(shape)
        logits = masked_logits(torch.zeros_like(loc[..., 0]), observed)
        return mixture_of_normals(logits, loc, scale)
