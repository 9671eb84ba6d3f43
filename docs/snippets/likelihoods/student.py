"""Independent values with heavy tails: sensors that are now and then far off."""

from __future__ import annotations

from typing import Self

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.likelihoods.base import Likelihood


class Student(Likelihood):
    """Student's t density of every value around the decoded location.

    Args:
        event_shape: shape of one observed value.
        scale: width, in the unit of the values.
        degrees: degrees of freedom; the fewer, the heavier the tails.

    Raises:
        ValueError: a scale or degrees of freedom that are not positive.
    """

    def __init__(self, event_shape: tuple[int, ...], scale: float = 1.0, degrees: float = 4.0) -> None:
        super().__init__(event_shape)
        if not (scale > 0 and degrees > 0):
            raise ValueError(f"expected positive scale and degrees, got {scale} and {degrees}")
        self.scale, self.degrees = scale, degrees

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from locations `(*lead, *event_shape)`."""
        return dist.StudentT(self.degrees, params, self.scale).to_event(len(self.event_shape))

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3), scale=0.5)
