"""One class out of several."""

from __future__ import annotations

from typing import Self

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.likelihoods.base import Likelihood


class Categorical(Likelihood):
    """A class label, from logits `(C,)`.

    Args:
        num_classes: C.
        one_hot: whether an observed label is one-hot, event `(C,)`, which encoders like, or an index (int64), event
            `()`.
    """

    def __init__(self, num_classes: int, *, one_hot: bool = True) -> None:
        super().__init__((num_classes,) if one_hot else ())
        self.num_classes = num_classes
        self.one_hot = one_hot

    @property
    def param_shape(self) -> tuple[int, ...]:
        """`(C,)`."""
        return (self.num_classes,)

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from logits `(*lead, C)`."""
        if self.one_hot:
            # A missing label is a row of zeros, masked later: not one-hot, and not to be refused.
            return dist.OneHotCategorical(logits=params, validate_args=False)
        return dist.Categorical(logits=params)

    def predict(self, params: Tensor) -> Tensor:
        """Return the class probabilities `(*lead, C)`; for index labels the most probable class, `(*lead,)`."""
        return params.softmax(dim=-1) if self.one_hot else params.argmax(dim=-1)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(3)
