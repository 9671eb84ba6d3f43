"""Convolutions over small images whose class is told: networks of conditional autoencoders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.recorded import Recorded


class LabelledConvEncoder(Recorded, nn.Module):
    """Convolutions over an image, then one fully connected layer that is told the class as well.

    Korthals et al. 2019, table 2: one channel by 2 x 2, then `width` channels by 2 x 2 with stride 2, by 3 x 3 and by 3
    x 3, all with padding that keeps the size; the class joins after them, before the fully connected layer.

    Args:
        event_shape: `(1, H, W)` of the images, H and W even.
        classes: number of classes; a value is the flattened image with the one-hot class behind it.
        width: channels.
        out_features: number of features F.
    """

    def __init__(self, event_shape: Sequence[int], classes: int = 10, width: int = 64, out_features: int = 128) -> None:
        super().__init__()
        self.event_shape, self.classes, self.out_features = tuple(event_shape), classes, out_features
        _, height, breadth = self.event_shape
        first = nn.Conv2d(1, 1, 2)
        # One channel, drawn at random, may be one that no image passes: it begins as a mean.
        nn.init.constant_(first.weight, 0.25)
        self.layers = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            first,
            nn.ReLU(),
            nn.Conv2d(1, width, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.output = nn.Linear(width * (height // 2) * (breadth // 2) + classes, out_features)

    def forward(self, value: Tensor) -> Tensor:
        """Map images with classes `(N, H W + classes)` to features `(N, F)`."""
        image, label = value.split([math.prod(self.event_shape), self.classes], dim=-1)
        return self.output(torch.cat([self.layers(image.unflatten(-1, self.event_shape)), label], dim=-1)).relu()

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls((1, 6, 4), classes=3, width=4, out_features=5), torch.rand(3, 27)


class MirroredConvDecoder(Recorded, nn.Module):
    """The layers of `LabelledConvEncoder` in reverse, each with its number of channels; the last one is linear.

    Args:
        latent_size: D, with the one-hot class if there is one.
        param_shape: `(H W,)`, H and W even and equal.
        width: channels.
        hidden: width of the fully connected layer.
    """

    def __init__(self, latent_size: int, param_shape: Sequence[int], width: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.param_shape = tuple(param_shape)
        half = math.isqrt(math.prod(self.param_shape)) // 2
        self.layers = nn.Sequential(
            nn.Linear(latent_size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, width * half * half),
            nn.ReLU(),
            nn.Unflatten(-1, (width, half, half)),
            nn.ConvTranspose2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 2, stride=2),
            nn.ReLU(),
        )
        self.output = nn.ConvTranspose2d(width, 1, 2)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to parameters `(N, H W)`."""
        return self.output(self.layers(latent))[..., :-1, :-1].flatten(1).unflatten(1, self.param_shape)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, (16,), width=4, hidden=6), torch.randn(3, 5)
