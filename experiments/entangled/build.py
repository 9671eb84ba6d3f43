"""Networks, model, guide and objective of the experiment with entangled sets."""

from __future__ import annotations

from pyro_mmvae import Loss, Modality, MultimodalVAE
from pyro_mmvae.experiments.common import parts
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.cvae import PIXELS
from pyro_mmvae.experiments.entangled.data import NAMES
from pyro_mmvae.likelihoods import Bernoulli
from pyro_mmvae.networks import MLPDecoder, MLPEncoder


def build_loss(config: Config) -> Loss:
    """Return model, guide and the (first) objective as one module, checked to fit each other.

    Raises:
        ValueError: an option that the guide does not have, or parts that cannot work together.
    """
    likelihood, widths = Bernoulli((PIXELS,)), config.widths
    modalities = [
        Modality(n, likelihood, MLPDecoder(config.latent_dim, (PIXELS,), widths[::-1]), MLPEncoder((PIXELS,), widths))
        for n in NAMES
    ]
    guide = parts.build_guide(config.guide, modalities, config.latent_dim, config.guide_options)
    objective = parts.build_objective(config.objectives[0], guide.inputs, dict.fromkeys(NAMES, 1.0))
    return objective(MultimodalVAE(modalities, config.latent_dim), guide)
