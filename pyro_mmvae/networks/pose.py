"""Decoder of three-dimensional joint positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.networks.mlp import MLPDecoder
from pyro_mmvae.recorded import Recorded


class PoseDecoder(Recorded, nn.Module):
    """Fully connected layers from the latent to a pose; four of them by default (Gupta, 2021, section 4.2).

    Args:
        latent_size: D.
        joints: number of joints J.
        widths: width of each hidden layer, one fewer than there are layers. The widths are ours: the thesis
            does not give them.
    """

    def __init__(self, latent_size: int, joints: int = 21, widths: Sequence[int] = (512, 512, 512)) -> None:
        super().__init__()
        self.layers = MLPDecoder(latent_size, (joints, 3), widths)
        self.param_shape = self.layers.param_shape

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to joint positions `(N, J, 3)`, root-relative and scaled as in training."""
        return self.layers(latent)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, joints=4, widths=(8, 8, 8)), torch.randn(3, 5)
