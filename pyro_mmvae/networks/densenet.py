"""DenseNet-121 image encoder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torchvision.models import DenseNet, DenseNet121_Weights

from pyro_mmvae.networks.mlp import fully_connected
from pyro_mmvae.networks.pretrained import ImageNetNormalise, imagenet_weights
from pyro_mmvae.recorded import Recorded
from pyro_mmvae.tensor_files import load_weights


class DenseNetEncoder(Recorded, nn.Module, instead={"pretrained": False, "weights_path": None}):
    """DenseNet without its classifier (Huang et al., 2017, arXiv:1608.06993), of torchvision's layers.

    It normalises by batch statistics throughout; `ResNetEncoder` says what that means for missing images.

    Args:
        hidden: widths of fully connected layers with ReLU after the pooling; none by default.
        pooled: channels of further layers before the pooling, each a convolution with ReLU and an average pooling that
            halves the sides; none by default. "Cross-modal Variational Alignment of Latent Spaces" (section 4.1.2) has
            two and prints no size.
        growth_rate: channels that each layer adds.
        block_config: number of layers in each block; the defaults are DenseNet-121's.
        pretrained: start from the weights trained on ImageNet.
        weights_path: read them from this file (loaded with `weights_only=True`); implies `pretrained`.

    Attributes:
        out_features: number of features F: the last of `hidden`, else of `pooled`, else what the last block makes
            (1024).

    Raises:
        ConnectionError: the weights are neither cached nor to be had.
        ValueError: a growth rate or block configuration that the pretrained weights do not fit.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        pretrained: bool = False,
        weights_path: str | Path | None = None,
        pooled: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.normalise = ImageNetNormalise()
        network = DenseNet(growth_rate, tuple(block_config), 2 * growth_rate, num_classes=1)
        self.features = network.features
        channels = (network.classifier.in_features, *pooled)
        self.pooled = nn.Sequential(*(_pooled(m, n) for m, n in pairwise(channels)))
        self.hidden = fully_connected((channels[-1], *hidden))
        self.out_features = hidden[-1] if hidden else channels[-1]
        if pretrained or weights_path is not None:
            self._load(imagenet_weights(DenseNet121_Weights.IMAGENET1K_V1, weights_path), weights_path)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` with values in [0, 1] to features `(N, F)`; H and W from 32 px."""
        return self.hidden(self.pooled(self.features(self.normalise(images)).relu()).mean((-2, -1)))

    def _load(self, state: dict[str, Tensor], path: str | Path | None) -> None:
        # The published file was written when module names could hold dots: "norm.1" is "norm1" today.
        renamed = {re.sub(r"(norm|conv)\.([12])\.", r"\1\2.", name): value for name, value in state.items()}
        features = {
            name.removeprefix("features."): value for name, value in renamed.items() if name.startswith("features.")
        }
        fits = "the pretrained weights fit growth_rate=32 and block_config=(6, 12, 24, 16)"
        load_weights(self.features, features, f"{path}: {fits}" if path else fits)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(hidden=(6,), growth_rate=4, block_config=(1, 1, 1, 1), pooled=(5,)), torch.rand(3, 3, 32, 32)


def _pooled(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution and an average pooling; a map of one pixel stays one."""
    layers = (nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers)
