"""Encoders `(N, *event) -> (N, F)` and decoders `(N, D) -> (N, *param_shape)`, one per file."""

from __future__ import annotations

from pyro_mmvae.networks.conv import ConvEncoder
from pyro_mmvae.networks.dcgan import DCGANDecoder
from pyro_mmvae.networks.densenet import DenseNetEncoder
from pyro_mmvae.networks.foldingnet import FoldingNetDecoder
from pyro_mmvae.networks.labelled_conv import LabelledConvEncoder, MirroredConvDecoder
from pyro_mmvae.networks.mlp import MLPDecoder, MLPEncoder
from pyro_mmvae.networks.norms import group_norm
from pyro_mmvae.networks.pose import PoseDecoder
from pyro_mmvae.networks.resnet import ResNetEncoder
from pyro_mmvae.networks.respel import ResPEL

__all__ = [
    "ConvEncoder",
    "DCGANDecoder",
    "DenseNetEncoder",
    "FoldingNetDecoder",
    "LabelledConvEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "MirroredConvDecoder",
    "PoseDecoder",
    "ResNetEncoder",
    "ResPEL",
    "group_norm",
]
