"""DC-GAN decoder of heat maps, segmentations and small images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.networks.norms import Norm, group_norm
from pyro_mmvae.recorded import Recorded


class DCGANDecoder(Recorded, nn.Module):
    """Transposed convolutions that double a 4 x 4 map until it has the size asked for.

    No activation follows the last layer: the likelihood says what its parameters are (logits, locations).

    References:
        Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks
        (Radford et al., 2016), arXiv:1511.06434. Their generator normalises by batch statistics; here the
        rows of a batch are particles, terms and samples together, which must not see each other, so the
        default is group normalisation.

    Args:
        latent_size: D.
        param_shape: `(C, S, S)` with S = 8, 16, 32, 64, ...
        width: channels of the last hidden layer; each layer before has twice as many. 64 is DC-GAN's.
        norm: makes the normalisation of a number of channels; None for none.

    Raises:
        ValueError: `param_shape` is not a square of 4 doubled at least once.
    """

    def __init__(
        self,
        latent_size: int,
        param_shape: Sequence[int],
        width: int = 64,
        norm: Norm | None = group_norm,
    ) -> None:
        super().__init__()
        channels, doublings = _plan(param_shape)
        widths = [width << step for step in reversed(range(doublings))]
        self.param_shape = tuple(param_shape)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_size, widths[0], 4), *_after(widths[0], norm)]
        for before, after in pairwise(widths):
            layers += [_doubling(before, after), *_after(after, norm)]
        self.layers = nn.Sequential(*layers, _doubling(widths[-1], channels))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to maps `(N, C, S, S)`."""
        return self.layers(latent[:, :, None, None])

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, (2, 16, 16), width=4), torch.randn(3, 5)


def _plan(param_shape: Sequence[int]) -> tuple[int, int]:
    """Return the number of channels, and how often 4 x 4 is to be doubled."""
    channels, height, width = param_shape
    doublings = (height // 4).bit_length() - 1
    if height != width or doublings < 1 or 4 << doublings != height:
        raise ValueError(f"expected param_shape (C, S, S) with S = 8, 16, 32, ..., got {tuple(param_shape)}")
    return channels, doublings


def _doubling(channels_in: int, channels: int) -> nn.Module:
    return nn.ConvTranspose2d(channels_in, channels, 4, stride=2, padding=1)


def _after(channels: int, norm: Norm | None) -> list[nn.Module]:
    return [nn.ReLU()] if norm is None else [norm(channels), nn.ReLU()]
