"""Networks, model, guide and objective of the experiment with images and labels."""

from __future__ import annotations

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE, Objective, Schedule
from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.experiments.common import parts
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Laplace, Likelihood, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.schedules import Weight

IMAGE, LABEL = "image", "label"
PIXELS = SIDE * SIDE


def build_modalities(config: Config) -> list[Modality]:
    """Return image and one-hot label, each with encoder and decoder."""
    return [
        _modality(IMAGE, PIXELS, image_likelihood(config), config.widths, config.latent_dim),
        _modality(LABEL, CLASSES, Categorical(CLASSES), config.label_widths, config.latent_dim),
    ]


def image_likelihood(config: Config) -> Likelihood:
    """Return a probability of binary pixels or a density of grey ones; never a "probability" of grey ones."""
    if config.binarisation != "none":
        return Bernoulli((PIXELS,))
    return (Laplace if config.density == "laplace" else Normal)((PIXELS,), config.density_scale)


def _modality(name: str, size: int, likelihood: Likelihood, widths: tuple[int, ...], latent_dim: int) -> Modality:
    decoder = MLPDecoder(latent_dim, likelihood.param_shape, widths[::-1])
    return Modality(name, likelihood, decoder, MLPEncoder((size,), widths))


def build_objective(config: Config, guide: Guide, steps: int) -> Objective:
    """Return the objective; beta changes in the first part of `steps` training steps.

    Raises:
        ValueError: an option that the objective does not have, or one that does not fit the inputs.
    """
    targets = {IMAGE: config.lambda_image, LABEL: config.lambda_label}
    return parts.build_objective(
        config.objective or "",
        guide.inputs,
        targets,
        config.objective_options,
        beta=_beta(config, steps),
        num_particles=config.particles,
    )


def _beta(config: Config, steps: int) -> Weight:
    start = config.beta_end if config.beta_start is None else config.beta_start
    if start == config.beta_end:
        return config.beta_end
    return Schedule(start, config.beta_end, steps=max(round(config.beta_share * steps), 1))


def build_pair(config: Config) -> tuple[MultimodalVAE, Guide]:
    """Return model and guide, checked to fit the objective, before any data is looked at.

    Raises:
        ValueError: an option that the guide does not have, or parts that cannot work together.
    """
    modalities = build_modalities(config)
    model = MultimodalVAE(modalities, config.latent_dim)
    guide = parts.build_guide(config.guide, modalities, config.latent_dim, config.guide_options)
    build_objective(config, guide, steps=1).check(model, guide)
    return model, guide


def build_loss(config: Config, steps: int = 1) -> Loss:
    """Return model, guide and objective as one module; see `build_pair`."""
    model, guide = build_pair(config)
    return build_objective(config, guide, steps)(model, guide)
