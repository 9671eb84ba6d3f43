"""Models under every prior, for tests."""

from __future__ import annotations

import torch
from support import LATENT, data, modalities

from pyro_mmvae import (
    Batch,
    MultimodalVAE,
    guides,
    priors,
)
from pyro_mmvae.priors.flow import Flow

ALL = priors.available()
LEARNED = [name for name in ALL if not priors.load(name).standard]


def triple(prior_name, guide_name="gpoe", **options):
    """Return a model with this prior, its guide and the prior, over the modalities of the contract tests."""
    parts = modalities()
    guide = guides.load(guide_name)(parts, LATENT, **options)
    prior = priors.load(prior_name).of(guide, Batch.of(data())[:4])
    return MultimodalVAE(parts, LATENT, prior=prior), guide, prior


def moved(prior):
    """Move a prior's parameters away from where they start, so that it is no near copy of N(0, I)."""
    far = 0.05 if isinstance(prior, Flow) else 0.3  # many small weights add up
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += far * torch.randn_like(parameter)
    return prior
