"""Networks and likelihoods of pictures of faces."""

from __future__ import annotations

from pyro_mmvae import Modality, likelihoods
from pyro_mmvae.experiments.celeba.options import FaceConfig
from pyro_mmvae.likelihoods import Bernoulli, CrossEntropy, Likelihood
from pyro_mmvae.networks import ConvEncoder, DCGANDecoder


def picture(name: str, channels: int, config: FaceConfig, likelihood: Likelihood | None = None) -> Modality:
    """Return pictures as a modality, with the DC-GAN-like networks of the literature.

    Wu and Goodman (2018, arXiv:1802.05335) have four convolutions of 32, 64, 128 and 256 channels and their mirror,
    with batch norms; here norms are of groups (see `pyro_mmvae.networks.group_norm`), and `--width` is the first.

    Args:
        name: of the modality.
        channels: of a picture.
        config: of the run.
        likelihood: of the pictures; by default that of the run.
    """
    shape = (channels, config.side, config.side)
    decoder = DCGANDecoder(config.latent_dim, shape, config.width)
    encoder = ConvEncoder(shape, width=config.width)
    return Modality(name, pixel_likelihood(shape, config) if likelihood is None else likelihood, decoder, encoder)


def pixel_likelihood(shape: tuple[int, int, int], config: FaceConfig) -> Likelihood:
    """Return the likelihood of pixels that the run asks for."""
    if config.density == "bernoulli":
        return Bernoulli(shape)
    if config.density == "cross_entropy":
        return CrossEntropy(shape)
    return likelihoods.load(config.density)(shape, config.density_scale)
