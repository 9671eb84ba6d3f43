"""Attention among experts: the primary modality asks, all that are observed answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import moment_average
from pyro_mmvae.guide import ExpertGuide, Experts, masked_logits
from pyro_mmvae.modality import Modality


class Attention(ExpertGuide):
    """Gaussian with averaged moments whose weights are attention to the primary modality (Gupta 2021, eq. 5.13).

    alpha = softmax(Q K^T / sqrt(d)) over the observed experts: the query is a projection of the primary expert's mean,
    the keys are projections of every expert's mean, and the values are the experts' own means and variances, so that
    a lone expert is kept as it is. Where the primary modality is missing a learned query asks in its place.

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        primary: name of the modality that asks; the first input by default.
        heads: number of slices of the latent dimensions, each with weights of its own.

    Raises:
        ValueError: an unknown primary modality, or heads that do not divide the latent dimension.
    """

    def __init__(
        self, modalities: Sequence[Modality], latent_dim: int, *, primary: str | None = None, heads: int = 1
    ) -> None:
        super().__init__(modalities, latent_dim)
        if primary is not None and primary not in self.inputs:
            raise ValueError(f"primary {primary!r} has no encoder; choose one of {list(self.inputs)}")
        if heads < 1 or latent_dim % heads:
            raise ValueError(f"heads: expected a divisor of latent_dim = {latent_dim}, got {heads}")
        self.primary = 0 if primary is None else self.inputs.index(primary)
        self.heads_count = heads
        self.queries, self.keys = (nn.Linear(latent_dim, latent_dim) for _ in range(2))
        self.stand_in = nn.Parameter(torch.zeros(latent_dim))

    def alpha(self, experts: Experts, observed: Tensor) -> Tensor:
        """Return the weights of the experts.

        Args:
            experts: shapes `(B, M, D)`.
            observed: bool, shape `(*lead, B, M)`.

        Returns:
            Shape `(*lead, B, M, D)`; zero where not observed, summing to one over M where anything is.
        """
        asked = self.queries(experts.loc.select(-2, self.primary))
        query = torch.where(observed[..., self.primary, None], asked, self.stand_in.to(asked.dtype))
        query, keys = (value.unflatten(-1, (self.heads_count, -1)) for value in (query, self.keys(experts.loc)))
        match = torch.einsum("...bhd,bmhd->...bmh", query, keys) / math.sqrt(query.shape[-1])
        seen = observed.unsqueeze(-1)
        weights = masked_logits(match, seen).softmax(dim=-2) * seen
        return weights.repeat_interleave(self.latent_dim // self.heads_count, dim=-1)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Return the attention weights by input, each of shape `(*lead, B, D)`; see `Guide.weights`."""
        return self.by_input(self.alpha(self.experts(self.features(batch)), self.observed(batch)))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the Gaussian with the attended moments of the observed experts."""
        experts = self.experts(self.features(batch))
        return moment_average(experts.loc, experts.scale, self.alpha(experts, self.observed(batch)))
