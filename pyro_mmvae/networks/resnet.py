"""ResNet-18 image encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights
from torchvision.models.resnet import BasicBlock

from pyro_mmvae.networks.mlp import fully_connected
from pyro_mmvae.networks.norms import Norm, group_norm
from pyro_mmvae.networks.pretrained import ImageNetNormalise, imagenet_weights
from pyro_mmvae.recorded import Recorded
from pyro_mmvae.tensor_files import load_weights


class ResNetEncoder(Recorded, nn.Module, instead={"pretrained": False, "weights_path": None}):
    """ResNet-18 without its classifier (He et al., 2016, arXiv:1512.03385), made of torchvision's blocks.

    Parameters carry torchvision's names, so that weights trained on ImageNet fit.

    Args:
        hidden: widths of fully connected layers with ReLU after the pooling; none by default.
        width: channels of the first stage, doubled by each of the next three; 64 is ResNet-18.
        stem_stride: downsampling before the first stage. 4: a 7 x 7 convolution of stride 2 and a max-pool,
            as published, for 128 px and more. 2: the same without the max-pool, for 64 px or so, at four
            times the cost. 1: a 3 x 3 convolution, for 32 px.
        norm: makes the normalisation of a number of channels. Batch normalisation, which the pretrained
            weights need, also sees the zero-filled images of samples without this modality, and differs
            between one device and many; `group_norm` does neither.
        pretrained: start from the weights trained on ImageNet.
        weights_path: read them from this file (loaded with `weights_only=True`) instead of torchvision's
            cache or server; implies `pretrained`.

    Attributes:
        out_features: number of features F: the last of `hidden`, else 8 times `width`.

    Raises:
        ConnectionError: the weights are neither cached nor to be had.
        ValueError: a width, stem or norm that the pretrained weights do not fit, or an unknown stem.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        width: int = 64,
        stem_stride: int = 4,
        norm: Norm = nn.BatchNorm2d,
        pretrained: bool = False,
        weights_path: str | Path | None = None,
    ) -> None:
        super().__init__()
        if stem_stride not in (1, 2, 4):
            raise ValueError(f"expected stem_stride 1, 2 or 4, got {stem_stride}")
        kernel, stride = (3, 1) if stem_stride == 1 else (7, 2)
        self.normalise = ImageNetNormalise()
        self.conv1 = nn.Conv2d(3, width, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = norm(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if stem_stride == 4 else nn.Identity()
        self.layer1 = _stage(width, width, 1, norm)
        self.layer2 = _stage(width, 2 * width, 2, norm)
        self.layer3 = _stage(2 * width, 4 * width, 2, norm)
        self.layer4 = _stage(4 * width, 8 * width, 2, norm)
        self.hidden = fully_connected((8 * width, *hidden))
        self.out_features = hidden[-1] if hidden else 8 * width
        self._initialise()
        if pretrained or weights_path is not None:
            self._load(imagenet_weights(ResNet18_Weights.IMAGENET1K_V1, weights_path), weights_path)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` with values in [0, 1] to features `(N, F)`."""
        x = self.pool(self.bn1(self.conv1(self.normalise(images))).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.hidden(x.mean((-2, -1)))

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _load(self, state: dict[str, Tensor], path: str | Path | None) -> None:
        own = {f"hidden.{name}": value for name, value in self.hidden.state_dict().items()}
        published = {name: value for name, value in state.items() if not name.startswith("fc.")}
        fits = "the pretrained weights fit width=64, stem_stride=2 or 4 and batch normalisation"
        load_weights(self, published | own, f"{path}: {fits}" if path else fits)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(hidden=(6,), width=4, stem_stride=2, norm=group_norm), torch.rand(3, 3, 16, 16)


def _stage(channels_in: int, channels: int, stride: int, norm: Norm) -> nn.Sequential:
    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), norm(channels))
    first = BasicBlock(channels_in, channels, stride, shortcut, norm_layer=norm)
    return nn.Sequential(first, BasicBlock(channels, channels, norm_layer=norm))
