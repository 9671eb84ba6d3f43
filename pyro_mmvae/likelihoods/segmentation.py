"""A class for every pixel."""

from __future__ import annotations

from typing import Self

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.likelihoods.base import Likelihood


class Segmentation(Likelihood):
    """Independent classes of pixels: event `(H, W)` of class indices (int64), from logits `(C, H, W)`.

    Args:
        num_classes: C.
        size: H and W.
    """

    def __init__(self, num_classes: int, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.num_classes = num_classes

    @property
    def param_shape(self) -> tuple[int, ...]:
        """`(C, H, W)`."""
        return (self.num_classes, *self.event_shape)

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from logits `(*lead, C, H, W)`."""
        return dist.Categorical(logits=params.movedim(-3, -1)).to_event(2)

    def predict(self, params: Tensor) -> Tensor:
        """Return the most probable class of every pixel, int64, shape `(*lead, H, W)`."""
        return params.argmax(dim=-3)

    def probabilities(self, params: Tensor) -> Tensor:
        """Return the class probabilities of every pixel, shape `(*lead, C, H, W)`."""
        return params.softmax(dim=-3)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(3, (2, 4))
