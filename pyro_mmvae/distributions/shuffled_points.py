"""Decoded points, each moved by noise, in unknown order."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from pyro_mmvae.distributions.point_kernels import LaplaceKernel
from pyro_mmvae.distributions.point_set import PointSetDistribution
from pyro_mmvae.pointclouds.emd import earth_movers_distance
from pyro_mmvae.pointclouds.matching import Solver


class ShuffledPoints(PointSetDistribution):
    r"""One noisy point per centre, in uniformly random order; `log_prob` is a lower bound.

    The density sums over all orders (a permanent, #P-hard):

    .. math::
        p(P) = \frac{1}{N!} \sum_\pi \prod_n \frac{\exp(-\|p_n - c_{\pi(n)}\| / b)}{8 \pi b^3}
        \;\ge\; \frac{1}{N!} \frac{\exp(-\frac{N}{b} \mathrm{EMD}(c, P))}{(8 \pi b^3)^N}

    `log_prob` returns the logarithm of the right side, the term of the best matching. The gap is at most log N!, and
    small where b is below about 0.3 of the distance between neighbouring points. As the sum is over a latent order,
    a bound on log p(x) built on it (an ELBO, an importance-weighted one) remains a lower bound.

    Args:
        centres: c, shape `(*lead, N, d)`, in the unit of the points.
        scale: b, a number or a tensor that broadcasts against `lead`.
        solver: of the matching; see `earth_movers_distance`, also for what it does on accelerators.

    Attributes:
        log_prob_is_lower_bound: True.
    """

    has_rsample = True
    log_prob_is_lower_bound: ClassVar[bool] = True

    def __init__(
        self,
        centres: Tensor,
        scale: Tensor | float,
        *,
        solver: Solver | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.solver = solver
        super().__init__(centres, scale, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the certified lower bound of log p(value)."""
        if self._validate_args:
            self._validate_sample(value)
        count, size = self.event_shape
        distance = earth_movers_distance(self.centres, value, solver=self.solver)
        per_point = distance / self.scale + LaplaceKernel().log_normaliser(self.scale, size)
        return -count * per_point - math.lgamma(count + 1)

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw clouds from the exact density."""
        batch = torch.Size(sample_shape) + self.batch_shape
        order = torch.rand(*batch, self.event_shape[0], 1, device=self.centres.device).argsort(dim=-2)
        centres = self.centres.expand(batch + self.event_shape)
        return LaplaceKernel().rsample(centres.gather(-2, order.expand(batch + self.event_shape)), self.scale)
