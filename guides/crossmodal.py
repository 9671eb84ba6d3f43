"""One encoder's Gaussian: the plain inference network of a crossmodal VAE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import product_of_normals
from pyro_mmvae.guide import ExpertGuide
from pyro_mmvae.modality import Modality, distinct


class Crossmodal(ExpertGuide):
    """q(z | x) from a single modality (Gupta 2021, section 3.1.1; Joshi et al. 2022, eq. 2).

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        source: name of the modality that is encoded; the first with an encoder by default. No other is looked at.

    Raises:
        ValueError: the source is unknown or has no encoder.
    """

    def __init__(self, modalities: Sequence[Modality], latent_dim: int, *, source: str | None = None) -> None:
        encoded = [m for m in distinct(modalities) if m.encoder is not None]
        chosen = [m for m in encoded if source in (None, m.name)][:1]
        if encoded and not chosen:
            raise ValueError(f"source {source!r} has no encoder; choose one of {[m.name for m in encoded]}")
        super().__init__(chosen, latent_dim)

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the encoder's Gaussian, or the prior where the source is missing."""
        expert = self.experts(self.features(batch))
        observed = self.observed(batch).unsqueeze(-1)
        precision = torch.where(observed, expert.scale.pow(-2), 0.0)
        return product_of_normals(expert.loc, precision)
