"""Independent Laplace values: like normal ones, with heavier tails."""

from __future__ import annotations

from typing import Self

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.likelihoods._location_scale import LocationScaleLikelihood


class Laplace(LocationScaleLikelihood):
    """Laplace density of every value, with a fixed, learned or predicted scale.

    Arguments and parameter shapes are those of `LocationScaleLikelihood`.
    """

    def distribution(self, loc: Tensor, scale: Tensor) -> TorchDistribution:
        """Return the Laplace distribution of the values."""
        return dist.Laplace(loc, scale)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3), "learned", initial_scale=0.5)
