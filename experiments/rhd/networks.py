"""Modalities of the hand experiment: networks and likelihoods."""

from __future__ import annotations

import math

from torch import nn

from pyro_mmvae import Modality
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.hands.rhd_format import NUM_JOINTS
from pyro_mmvae.likelihoods import Heatmap, Likelihood, Normal, Pointcloud, Pose, Segmentation
from pyro_mmvae.networks import (
    ConvEncoder,
    DCGANDecoder,
    FoldingNetDecoder,
    MLPEncoder,
    PoseDecoder,
    ResNetEncoder,
    ResPEL,
    group_norm,
)

RESPEL_STAGES = 5
POSE_WIDTH = 512


def build_modalities(config: Config, encoders: bool = True) -> list[Modality]:
    """Return the modalities of a setting, with the encoders and decoders that it uses and no others."""
    names = config.flow.names if encoders else config.flow.targets
    return [_modality(name, config, encoders) for name in names]


def _modality(name: str, config: Config, encoders: bool) -> Modality:
    encoder = _encoder(name, config) if encoders and name in config.flow.inputs else None
    if name not in config.flow.targets:
        return Modality(name, encoder=encoder)
    decoder, likelihood = _decoder(name, config)
    return Modality(name, likelihood, decoder, encoder)


def _encoder(name: str, config: Config) -> nn.Module:
    if name == "rgb":
        return ResNetEncoder(
            width=config.width,
            stem_stride=config.stem_stride,
            norm=group_norm if config.norm == "group" else nn.BatchNorm2d,
            pretrained=config.pretrained,
            weights_path=config.pretrained_weights,
        )
    if name == "cloud":
        return ResPEL(tuple(config.cloud_width >> stage for stage in reversed(range(RESPEL_STAGES))))
    if name == "pose":
        return MLPEncoder((NUM_JOINTS, 3), _pose_widths(config))  # the layer to mean and deviation is the last one
    return ConvEncoder((config.map_size, config.map_size), classes=2, width=max(config.decoder_width // 2, 1))


def _decoder(name: str, config: Config) -> tuple[nn.Module, Likelihood]:
    size, points, latent, width = config.map_size, config.num_points, config.latent_dim, config.decoder_width
    if name == "pose":
        return PoseDecoder(latent, widths=_pose_widths(config)), _pose(config)
    if name == "heatmap":
        return DCGANDecoder(latent, (NUM_JOINTS, size, size), width), Heatmap(NUM_JOINTS, (size, size))
    if name == "cloud":
        layers = (config.cloud_width,) * 2
        return FoldingNetDecoder(latent, math.isqrt(points), layers), Pointcloud(points, density="energy")
    return DCGANDecoder(latent, (2, size, size), width), Segmentation(2, (size, size))


def _pose_widths(config: Config) -> tuple[int, ...]:
    return (POSE_WIDTH,) * (config.pose_layers - 1)


def _pose(config: Config) -> Likelihood:
    if config.pose_norm == "squared":
        # Its log-density is minus the mean squared error over 3 J numbers, up to a constant.
        return Normal((NUM_JOINTS, 3), scale=math.sqrt(3 * NUM_JOINTS / 2))
    return Pose(NUM_JOINTS, norm=config.pose_norm)
