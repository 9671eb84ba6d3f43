"""Two far clusters of causes, seen by two sensors, under three priors."""

from __future__ import annotations

import torch

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.guides.gpoe import GPoE
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians
from pyro_mmvae.priors.vamp import Vamp

torch.manual_seed(0)
D = 2
cause = torch.tensor([[3.0, 0.0], [-3.0, 0.0]])[torch.randint(2, (300,))] + 0.3 * torch.randn(300, D)
batch = Batch.of({"sound": cause @ torch.randn(D, 6) + 0.2 * torch.randn(300, 6), "motion": cause @ torch.randn(D, 3)})


def build(prior_name: str) -> tuple[MultimodalVAE, GPoE]:
    """Return a fresh model with this prior, and its guide."""
    parts = [
        Modality("sound", Normal((6,), scale=0.3), MLPDecoder(D, (6,), (32,)), MLPEncoder((6,), (32,))),
        Modality("motion", Normal((3,), scale=0.3), MLPDecoder(D, (3,), (32,)), MLPEncoder((3,), (32,))),
    ]
    guide = GPoE(parts, D)
    prior = {
        "standard_normal": lambda: None,
        "mixture_of_gaussians": lambda: MixtureOfGaussians(D, num_components=2),
        "vamp": lambda: Vamp(guide, start=batch[:10]),
    }[prior_name]()
    return MultimodalVAE(parts, D, prior=prior), guide


results = {}
for name in ("standard_normal", "mixture_of_gaussians", "vamp"):
    model, guide = build(name)
    loss = extended(guide.inputs, guide.inputs)(model, guide)
    optimiser = torch.optim.Adam(loss.parameters(), lr=5e-3)  # the prior's parameters are the model's
    for _ in range(150):
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()
    results[name] = log_likelihood(model, guide, batch, num_samples=100).mean
print(results)  # mean log p(sound, motion), nats
