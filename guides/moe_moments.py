"""A single Gaussian with the averaged moments of the experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import moment_average
from pyro_mmvae.guide import ExpertGuide, masked_logits
from pyro_mmvae.modality import Modality


class MoEMoments(ExpertGuide):
    """Gaussian with mean sum_m alpha_m mu_m and variance sum_m alpha_m V_m (Gupta 2021, eq. 5.11-5.12).

    Gupta calls it MoE, and MoE-L with learned weights. It is not a mixture density: that is `moe`.

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        weights: "equal", or "learned": one free logit for each modality, softmax over the observed ones.
    """

    def __init__(
        self,
        modalities: Sequence[Modality],
        latent_dim: int,
        *,
        weights: Literal["equal", "learned"] = "equal",
    ) -> None:
        super().__init__(modalities, latent_dim)
        if weights not in ("equal", "learned"):
            raise ValueError(f"weights: expected 'equal' or 'learned', got {weights!r}")
        logits = torch.zeros(len(self.inputs))
        if weights == "learned":
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits, persistent=False)

    def alpha(self, observed: Tensor) -> Tensor:
        """Return the weights of the experts, shape `(*lead, B, M, 1)`.

        Args:
            observed: bool, shape `(*lead, B, M)`.
        """
        weights = masked_logits(self.logits.expand(observed.shape), observed).softmax(dim=-1) * observed
        return weights.unsqueeze(-1)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weights by input, each of shape `(*lead, B, D)`; see `Guide.weights`."""
        return self.by_input(self.alpha(self.observed(batch)))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the Gaussian with the averaged moments of the observed experts."""
        experts = self.experts(self.features(batch))
        return moment_average(experts.loc, experts.scale, self.alpha(self.observed(batch)))
