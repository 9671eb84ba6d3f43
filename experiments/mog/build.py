"""Networks, model, guide and objective of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE
from pyro_mmvae.data.gaussian_mixture import SCALE
from pyro_mmvae.experiments.common import parts
from pyro_mmvae.experiments.mog.config import Config
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

NAMES = ("a", "b")


def build_pair(config: Config) -> tuple[MultimodalVAE, Guide]:
    """Return model and guide, checked to fit the objective of a run.

    Raises:
        ValueError: an option that the guide does not have, or parts that cannot work together.
    """
    loss = build_loss(config)
    return loss.model, loss.guide


def build_loss(config: Config) -> Loss:
    """Return model, guide and the (first) objective as one module; see `build_pair`."""
    likelihood = Normal((2,), SCALE)
    modalities = [
        Modality(
            n, likelihood, MLPDecoder(config.latent_dim, (2,), (config.hidden,)), MLPEncoder((2,), (config.hidden,))
        )
        for n in NAMES
    ]
    guide = parts.build_guide(config.guide, modalities, config.latent_dim, config.guide_options)
    targets = dict.fromkeys(NAMES, 1.0)
    objective = parts.build_objective(config.objectives[0], guide.inputs, targets)
    return objective(MultimodalVAE(modalities, config.latent_dim), guide)
