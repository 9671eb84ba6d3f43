"""Networks for a camera that does not move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.networks import ConvEncoder
from pyro_mmvae.recorded import Recorded


class StillEncoder(Recorded, nn.Module):
    """What differs from a still picture, in standard deviations, seen by a `ConvEncoder`.

    Args:
        event_shape: `(C, S, S)`, see `ConvEncoder`.
        width: see there.

    Attributes:
        out_features: number of features F.
    """

    still: Tensor
    deviation: Tensor

    def __init__(self, event_shape: Sequence[int], width: int = 32) -> None:
        super().__init__()
        self.register_buffer("still", torch.zeros(tuple(event_shape)))
        self.register_buffer("deviation", torch.ones(()))
        self.change = ConvEncoder(event_shape, width=width)
        self.out_features = self.change.out_features

    def forward(self, value: Tensor) -> Tensor:
        """Map pictures `(N, C, S, S)` to features `(N, F)`."""
        features: Tensor = self.change((value - self.still) / self.deviation)
        return features

    @torch.no_grad()
    def begin_with(self, picture: Tensor, deviation: float) -> None:
        """Set the still picture, shape `(C, S, S)`, and the standard deviation of pixels about it."""
        self.still.copy_(picture)
        self.deviation.fill_(deviation)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls((2, 16, 16), width=4), torch.rand(3, 2, 16, 16)


class StillDecoder(Recorded, nn.Module):
    """A picture that is the same for every z, and what of it changes with z.

    Before a camera that does not move most of a picture is always the same, and what moves does so within a small part
    of it: fully connected layers make a map of a quarter of the side, transposed convolutions double it twice.
    Autoencoders of these pictures learned several times as fast by it as by `DCGANDecoder`, which begins with a map of
    4 x 4 and has to learn what stands still.

    Args:
        latent_size: D.
        param_shape: `(C, S, S)`, S a multiple of 4.
        width: channels of the maps.
        hidden: units of the layer before them.
    """

    def __init__(self, latent_size: int, param_shape: Sequence[int], width: int = 32, hidden: int = 256) -> None:
        super().__init__()
        channels, side = param_shape[0], param_shape[1] // 4
        self.param_shape = tuple(param_shape)
        self.still = nn.Parameter(torch.zeros(self.param_shape))
        self.change = nn.Sequential(
            nn.Linear(latent_size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, width * side * side),
            nn.ReLU(),
            nn.Unflatten(1, (width, side, side)),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to pictures `(N, C, S, S)`."""
        change: Tensor = self.change(latent)
        return change + self.still

    @torch.no_grad()
    def begin_with(self, picture: Tensor) -> None:
        """Set the still picture, shape `(C, S, S)`, from where it is learned on."""
        self.still.copy_(picture)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, (2, 16, 16), width=4, hidden=8), torch.randn(3, 5)
