"""Independent normal values: images, joint angles, forces."""

from __future__ import annotations

from typing import Self

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.likelihoods._location_scale import LocationScaleLikelihood


class Normal(LocationScaleLikelihood):
    """Normal density of every value, with a fixed, learned or predicted standard deviation.

    Arguments and parameter shapes are those of `LocationScaleLikelihood`.
    """

    def distribution(self, loc: Tensor, scale: Tensor) -> TorchDistribution:
        """Return the normal distribution of the values."""
        return dist.Normal(loc, scale)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3), "predicted")
