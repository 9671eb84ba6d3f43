"""Modalities of the surgical experiment: networks and likelihoods (Joshi et al. 2022, section 4.5)."""

from __future__ import annotations

import math

from torch import nn

from pyro_mmvae import Modality
from pyro_mmvae.experiments.surgical.config import Config
from pyro_mmvae.likelihoods import Likelihood, Pointcloud, Segmentation
from pyro_mmvae.networks import ConvEncoder, DCGANDecoder, FoldingNetDecoder, ResNetEncoder, ResPEL, group_norm
from pyro_mmvae.surgical.layout import CLASSES

RESPEL_STAGES = 5


def build_modalities(config: Config) -> list[Modality]:
    """Return the modalities of a setting, with the encoders and decoders that it uses and no others."""
    return [_modality(name, config) for name in config.flow.names]


def _modality(name: str, config: Config) -> Modality:
    encoder = _encoder(name, config) if name in config.flow.inputs else None
    if name not in config.flow.targets:
        return Modality(name, encoder=encoder)
    decoder, likelihood = _decoder(name, config)
    return Modality(name, likelihood, decoder, encoder)


def _encoder(name: str, config: Config) -> nn.Module:
    if name == "cloud":
        return ResPEL(tuple(max(config.cloud_width >> stage, 1) for stage in reversed(range(RESPEL_STAGES))))
    if config.encoder == "conv":
        return ConvEncoder((3, config.image_size, config.image_size), width=config.width)
    return ResNetEncoder(
        width=config.width,
        stem_stride=config.stem_stride,
        norm=group_norm if config.norm == "group" else nn.BatchNorm2d,
        pretrained=config.pretrained,
        weights_path=config.pretrained_weights,
    )


def _decoder(name: str, config: Config) -> tuple[nn.Module, Likelihood]:
    size, points, latent = config.map_size, config.num_points, config.latent_dim
    if name == "cloud":
        decoder = FoldingNetDecoder(latent, math.isqrt(points), (config.cloud_width,) * 2)
        return decoder, Pointcloud(points, density="energy")
    shape = (len(CLASSES), size, size)
    return DCGANDecoder(latent, shape, config.decoder_width), Segmentation(len(CLASSES), (size, size))
