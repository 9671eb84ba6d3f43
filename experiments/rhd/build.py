"""Networks, model, guide and objective of the hand experiment."""

from __future__ import annotations

import math

from torch import nn

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE, Objective, Schedule
from pyro_mmvae.experiments.common import parts
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.likelihoods import Heatmap, Likelihood, Pointcloud, Pose, Segmentation
from pyro_mmvae.networks import (
    ConvEncoder,
    DCGANDecoder,
    FoldingNetDecoder,
    PoseDecoder,
    ResNetEncoder,
    ResPEL,
    group_norm,
)

NUM_JOINTS = 21
RESPEL_STAGES = 5


def build_modalities(config: Config) -> list[Modality]:
    """Return the modalities of a setting, with the encoders and decoders that it uses and no others."""
    inputs, targets = config.flow
    names = list(dict.fromkeys([*inputs, *targets]))
    return [_modality(name, name in inputs, name in targets, config) for name in names]


def _modality(name: str, encoded: bool, decoded: bool, config: Config) -> Modality:
    encoder = _encoder(name, config) if encoded else None
    if not decoded:
        return Modality(name, encoder=encoder)
    decoder, likelihood = _decoder(name, config)
    return Modality(name, likelihood, decoder, encoder)


def _encoder(name: str, config: Config) -> nn.Module:
    size = _given(config.map_size)
    if name == "rgb":
        return ResNetEncoder(
            width=_given(config.width),
            stem_stride=config.stem_stride,
            norm=group_norm if config.norm == "group" else nn.BatchNorm2d,
            pretrained=bool(config.pretrained),
            weights_path=config.pretrained_weights,
        )
    if name == "cloud":
        return ResPEL(tuple(_given(config.cloud_width) >> stage for stage in reversed(range(RESPEL_STAGES))))
    return ConvEncoder((size, size), classes=2, width=max(_given(config.decoder_width) // 2, 1))


def _decoder(name: str, config: Config) -> tuple[nn.Module, Likelihood]:
    size, points, latent = _given(config.map_size), _given(config.num_points), config.latent_dim
    width, layers = _given(config.decoder_width), (_given(config.cloud_width),) * 2
    if name == "pose":
        return PoseDecoder(latent), Pose(NUM_JOINTS)
    if name == "heatmap":
        return DCGANDecoder(latent, (NUM_JOINTS, size, size), width), Heatmap(NUM_JOINTS, (size, size))
    if name == "cloud":
        return FoldingNetDecoder(latent, math.isqrt(points), layers), Pointcloud(points, density="energy")
    return DCGANDecoder(latent, (2, size, size), width), Segmentation(2, (size, size))


def _given(value: int | None) -> int:
    if value is None:
        raise ValueError("the configuration is not resolved: pass it through `resolved` first")
    return value


def build_objective(config: Config, steps: int) -> Objective:
    """Return the objective; beta is annealed over the first half of `steps` training steps.

    Raises:
        ValueError: the objective does not fit the setting.
    """
    weights = {
        "pose": config.lambda_pose,
        "heatmap": config.lambda_heatmap or 0.0,
        "cloud": config.lambda_cloud,
        "segmentation": config.lambda_segmentation,
    }
    beta = Schedule(config.beta_start, config.beta_end, steps=max(steps // 2, 1), geometric=config.beta_start > 0)
    targets = {name: weights[name] for name in config.flow.targets}
    return parts.build_objective(
        config.objective or "", config.flow.inputs, targets, beta=beta, num_particles=config.particles
    )


def build_pair(config: Config) -> tuple[MultimodalVAE, Guide]:
    """Return model and guide, checked to fit the objective, before any data is looked at.

    Raises:
        ValueError: an option that the guide does not have, or parts that cannot work together.
    """
    modalities = build_modalities(config)
    model = MultimodalVAE(modalities, config.latent_dim)
    guide = parts.build_guide(config.guide, modalities, config.latent_dim, config.guide_options)
    build_objective(config, steps=1).check(model, guide)
    return model, guide


def build_loss(config: Config, steps: int = 1) -> Loss:
    """Return model, guide and objective as one module; see `build_pair`."""
    return build_objective(config, steps)(*build_pair(config))
