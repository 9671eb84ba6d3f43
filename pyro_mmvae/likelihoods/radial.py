"""Values whose error counts by its unsquared norm."""

from __future__ import annotations

import math
from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.radial import RadialLaplace
from pyro_mmvae.likelihoods._scaled import ScaledLikelihood


class Radial(ScaledLikelihood):
    r"""exp(-\|x - \hat x\| / b) with its normaliser, one norm over all d values of the event.

    With b = sqrt(d) u, `Radial.rms`, minus its logarithm is the root-mean-squared error in units of u and a constant.

    Args:
        event_shape: shape of one observed value, at least one dimension.
        scale: b, a fixed number in the unit of the values or `"learned"`. The mean norm of an error is d b.
        initial_scale: where the learned scale starts.
    """

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from locations `(*lead, *event_shape)`."""
        return RadialLaplace(params, self.scale_like(params), event_dim=len(self.event_shape))

    @classmethod
    def rms(cls, event_shape: tuple[int, ...], unit: float = 1.0) -> Self:
        """Return the density whose loss is the root-mean-squared error of each sample, in a unit of the values."""
        return cls(event_shape, unit * math.sqrt(math.prod(event_shape)))

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls((2, 3), "learned", initial_scale=0.4)
