"""A plain feed-forward network in the place of a guide: no draws, no KL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import Delta, TorchDistribution
from torch import nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.modality import Modality, distinct


class FeedForward(Guide):
    """One input's encoder and a fully connected layer to z, which is a point.

    With an objective that weighs the KL with zero, model and guide are the network that one would train without any
    latent variable: the baseline that says what the latent is good for. "Cross-modal Variational Alignment of Latent
    Spaces" calls the classifier of ingredients so made FF_TD (Table 2, after Salvador et al. 2019, arXiv:1812.06164).

    It is none of the registered guides, as it infers no distribution: a KL of weight above zero, a distance between
    posteriors and an importance-weighted estimate have no meaning for it.

    Args:
        modalities: see `Guide`.
        latent_dim: width D of what stands in the place of z.
        source: name of the modality that is looked at; the first with an encoder by default.

    Raises:
        ValueError: the source is unknown or has no encoder.
    """

    def __init__(self, modalities: Sequence[Modality], latent_dim: int, *, source: str | None = None) -> None:
        encoded = [m for m in distinct(modalities) if m.encoder is not None]
        chosen = [m for m in encoded if source in (None, m.name)][:1]
        if encoded and not chosen:
            raise ValueError(f"source {source!r} has no encoder; choose one of {[m.name for m in encoded]}")
        super().__init__(chosen, latent_dim)
        self.layer = nn.Linear(self.feature_sizes[self.inputs[0]], latent_dim)

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return all mass at the network's output; at zero where the source is missing."""
        point = self.layer(self.features(batch)[0])
        return Delta(torch.where(self.observed(batch), point, 0.0), event_dim=1)
