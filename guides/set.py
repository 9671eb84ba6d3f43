"""Attention over a set of embeddings, asked by a learned query."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import prior_where_blind
from pyro_mmvae.guide import GaussianHead, Guide, masked_logits
from pyro_mmvae.modality import Modality


class SetGuide(Guide):
    """Posterior of a set of modalities, without experts ("Generalizing multimodal variational methods to sets", eq. 8).

    H = I + MultiHead(I, X_S, X_S) and g = H + f(H): X_S are the embeddings of what is observed, I is a learned query
    and f a fully connected layer with ReLU; mean and scale are read off g. Each modality has an embedding layer of its
    own, which is all that tells modalities apart, so their order does not matter.

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        width: of the embeddings.
        heads: of the attention; a divisor of the width.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(self, modalities: Sequence[Modality], latent_dim: int, *, width: int = 256, heads: int = 4) -> None:
        super().__init__(modalities, latent_dim)
        if heads < 1 or width % heads:
            raise ValueError(f"heads: expected a divisor of width = {width}, got {heads}")
        self.heads = heads
        self.embeddings = nn.ModuleDict({n: nn.Linear(size, width) for n, size in self.feature_sizes.items()})
        self.query = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.queries, self.keys, self.values, self.merge = (nn.Linear(width, width) for _ in range(4))
        self.connected = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.moments = GaussianHead(width, latent_dim)

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the Gaussian read off the set of observed embeddings."""
        observed = self.observed(batch)
        hidden = self.query + self._attend(self.features(batch), observed)
        loc, scale = self.moments(hidden + self.connected(hidden))
        return prior_where_blind(loc, scale, observed)

    def _attend(self, features: Sequence[Tensor], observed: Tensor) -> Tensor:
        """Return MultiHead(I, X_S, X_S), shape `(*lead, B, width)`.

        The query is the same for all rows, so that keys, values and their match are computed once on the B samples.
        """
        embedded = torch.stack([self.embeddings[n](f) for n, f in zip(self.inputs, features, strict=True)], dim=-2)
        query, keys, values = (
            layer(value).unflatten(-1, (self.heads, -1))
            for layer, value in ((self.queries, self.query), (self.keys, embedded), (self.values, embedded))
        )
        match = torch.einsum("hd,bmhd->bhm", query, keys) / math.sqrt(query.shape[-1])
        weights = masked_logits(match, observed.unsqueeze(-2)).softmax(dim=-1).to(values.dtype)
        answer: Tensor = self.merge(torch.einsum("...bhm,bmhd->...bhd", weights, values).flatten(-2))
        return answer
