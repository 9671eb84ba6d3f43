"""One network over all features together."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from typing import Literal

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import prior_where_blind
from pyro_mmvae.guide import GaussianHead, Guide, masked_features
from pyro_mmvae.modality import Modality, distinct
from pyro_mmvae.shapes import constant

_MAX_SUBSET_NETWORKS = 255


class Joint(Guide):
    """q(z | x_S) from the concatenated features (Gupta 2021, section 3.1.2; Suzuki et al. 2016, arXiv:1611.01891).

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        hidden: width of the hidden layer.
        networks: "shared" uses one network for every subset, which is told by a mask what it sees; "zeroed" the same
            without the mask, so that what is absent is features of zero and nothing more (JMVAE-zero); "per_subset"
            has a network for each of the 2^M - 1 subsets, as JMVAE-kl and M2VAE have, over features that all share;
            "separate" has encoders of its own for each subset besides, and nothing but them for a single modality
            (Korthals et al. 2019, table 1).

    Raises:
        ValueError: unknown `networks`, or too many modalities for a network per subset.
    """

    def __init__(
        self,
        modalities: Sequence[Modality],
        latent_dim: int,
        *,
        hidden: int = 256,
        networks: Literal["shared", "zeroed", "per_subset", "separate"] = "shared",
    ) -> None:
        seen = [m for m in distinct(modalities) if m.encoder is not None]
        subsets, separate = _subsets(len(seen), networks), networks == "separate"
        copies = sum(0 in subset for subset in subsets) if separate else 1
        super().__init__([_copied(m, copies) for m in seen] if separate else modalities, latent_dim)
        self.subsets, self.copies = subsets, copies
        self.shared, self.masked = networks in ("shared", "zeroed"), networks == "shared"
        self.networks = nn.ModuleList(self._network(subset, hidden, separate) for subset in subsets)

    def _network(self, subset: tuple[int, ...], hidden: int, separate: bool) -> nn.Module:
        sizes = [size // self.copies for size in self.feature_sizes.values()]
        width = sum(sizes[m] for m in subset) + (len(subset) if self.masked else 0)
        if separate and len(subset) == 1:
            return GaussianHead(width, self.latent_dim)
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), GaussianHead(hidden, self.latent_dim))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the Gaussian of the network that answers for the observed subset."""
        features, observed = self.features(batch), self.observed(batch)
        loc, scale = self._of_all(features, observed) if self.shared else self._of_subset(features, observed)
        return prior_where_blind(loc, scale, observed)

    def _of_all(self, features: Sequence[Tensor], observed: Tensor) -> tuple[Tensor, Tensor]:
        seen = masked_features(features, observed)
        if self.masked:
            seen = torch.cat([seen, observed.to(features[0].dtype)], dim=-1)
        loc, scale = self.networks[0](seen)
        return loc, scale

    def _of_subset(self, features: Sequence[Tensor], observed: Tensor) -> tuple[Tensor, Tensor]:
        # Every network runs once on the B samples, whatever the rows: the rows then pick. All parameters take
        # part in every step, which distributed training needs.
        made = [
            net(torch.cat([self._own(features, m, s) for m in s], -1))
            for s, net in zip(self.subsets, self.networks, strict=True)
        ]
        names = range(len(self.inputs))
        members = constant([[m in s for m in names] for s in self.subsets], observed.device, torch.bool)
        chosen = (observed.unsqueeze(-2) == members).all(dim=-1).unsqueeze(-1)  # (*lead, B, subsets, 1)
        loc, scale = (torch.where(chosen, torch.stack(part, -2), 0.0).sum(-2) for part in zip(*made, strict=True))
        return loc, torch.where(chosen.any(-2), scale, 1.0)

    def _own(self, features: Sequence[Tensor], m: int, subset: tuple[int, ...]) -> Tensor:
        """Return the features of an input that a subset looks at."""
        if self.copies == 1:
            return features[m]
        return features[m].chunk(self.copies, -1)[[s for s in self.subsets if m in s].index(subset)]


def _subsets(count: int, networks: str) -> list[tuple[int, ...]]:
    """Return the subsets of inputs that have a network of their own.

    Raises:
        ValueError: an unknown word, or too many subsets.
    """
    if networks not in (known := ("shared", "zeroed", "per_subset", "separate")):
        raise ValueError(f"networks: expected one of {known}, got {networks!r}")
    if networks in ("shared", "zeroed"):
        return [tuple(range(count))]
    if (number := 2**count - 1) > _MAX_SUBSET_NETWORKS:
        raise ValueError(f"{count} modalities would need {number} networks; use networks='shared'")
    return [s for size in range(1, count + 1) for s in combinations(range(count), size)]


class _Copies(nn.Module):
    """Encoders that begin as copies of one; their features are one after the other, shape `(N, copies F)`."""

    def __init__(self, encoder: nn.Module, copies: int) -> None:
        super().__init__()
        self.copies = nn.ModuleList(deepcopy(encoder) for _ in range(copies))

    def forward(self, value: Tensor) -> Tensor:
        return torch.cat([encoder(value) for encoder in self.copies], dim=-1)


def _copied(modality: Modality, copies: int) -> Modality:
    assert modality.encoder is not None
    return replace(modality, encoder=_Copies(modality.encoder, copies), features=copies * modality.feature_size)
