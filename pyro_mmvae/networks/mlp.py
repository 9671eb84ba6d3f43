"""Fully connected encoder and decoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, Self

import torch
from torch import Tensor, nn

from pyro_mmvae.recorded import Recorded

Activation = Callable[[], nn.Module] | Literal["relu", "tanh"]
"""Makes an activation layer, as `torch.nn.ReLU` does; or the name of one."""


def fully_connected(sizes: Sequence[int], activation: Activation = nn.ReLU) -> nn.Sequential:
    """Return linear layers through `sizes`, each followed by the activation.

    They begin with He et al.'s variance (2015, arXiv:1502.01852), which keeps the signal's size from layer to layer.
    PyTorch's default halves it in each: a pose decoder four layers deep then took over twice the steps to the same
    error.

    Args:
        sizes: number of inputs, then the width of each layer; one number alone gives the identity.
        activation: makes the layer after each linear one.
    """
    make = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation] if isinstance(activation, str) else activation
    layers: list[nn.Module] = []
    for size_in, size_out in pairwise(sizes):
        linear = nn.Linear(size_in, size_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, make()]
    return nn.Sequential(*layers)


class MLPEncoder(Recorded, nn.Module):
    """Encoder that flattens its input: images of digits, one-hot labels, forces, poses.

    Args:
        event_shape: shape of one value.
        widths: width of each hidden layer; the last one is the number of features.
        activation: makes the activation after each layer.

    Attributes:
        out_features: number of features F.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        widths: Sequence[int] = (512, 512),
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        sizes = (math.prod(event_shape), *widths)
        self.out_features = sizes[-1]
        self.layers = fully_connected(sizes, activation)

    def forward(self, value: Tensor) -> Tensor:
        """Map values `(N, *event_shape)` to features `(N, F)`; whole numbers and booleans are converted."""
        flat = value.flatten(1) if value.dim() > 1 else value.unsqueeze(1)  # one number is a vector of one
        return self.layers(flat if value.is_floating_point() else self._as_floating(flat))

    def _as_floating(self, value: Tensor) -> Tensor:
        return value.to(next((p.dtype for p in self.parameters()), torch.get_default_dtype()))

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls((1, 4, 4), widths=(8, 6)), torch.rand(3, 1, 4, 4)


class MLPDecoder(Recorded, nn.Module):
    """Decoder of fully connected layers, the last one linear.

    Args:
        latent_size: D.
        param_shape: shape of the result for one sample, a likelihood's `param_shape`.
        widths: width of each hidden layer.
        activation: makes the activation after each hidden layer.
    """

    def __init__(
        self,
        latent_size: int,
        param_shape: Sequence[int],
        widths: Sequence[int] = (512, 512),
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        sizes = (latent_size, *widths)
        self.param_shape = tuple(param_shape)
        self.layers = fully_connected(sizes, activation)
        self.output = nn.Linear(sizes[-1], math.prod(self.param_shape))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to parameters `(N, *param_shape)`."""
        return self.output(self.layers(latent)).reshape(latent.shape[0], *self.param_shape)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, (1, 4, 4), widths=(8, 6)), torch.randn(3, 5)
