"""Points drawn independently from a mixture of kernels around decoded points."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pyro_mmvae.distributions.point_kernels import log_mixture, point_kernel
from pyro_mmvae.distributions.point_set import PointSetDistribution
from pyro_mmvae.pointclouds.pairs import flat_pairs

KernelName = Literal["laplace", "gaussian"]


class PointMixture(PointSetDistribution):
    r"""Exact density of a cloud whose points are independent draws from an equal mixture of kernels.

    .. math::
        \log p(P) = \sum_{n=1}^{N} \log \frac{1}{M} \sum_{m=1}^{M} k_b(p_n - c_m)

    with k_b a 3-D Laplace density exp(-\|x\| / b) / (8 pi b^3) or a Gaussian. The order of the points does not
    matter and N may differ from M. As b goes to 0 it approaches -(N/b) times the half of the Chamfer distance that
    goes from the cloud to the centres, plus constants. It asks centres to cover the cloud; a stray centre costs
    only N log(M / (M - 1)) nats.

    Args:
        centres: c, shape `(*lead, M, d)`, in the unit of the points.
        scale: b (or the Gaussian's standard deviation), a number or a tensor that broadcasts against `lead`.
        kernel: `"laplace"` or `"gaussian"`.
        num_points: N; M when left out.
    """

    has_rsample = True

    def __init__(
        self,
        centres: Tensor,
        scale: Tensor | float,
        kernel: KernelName = "laplace",
        num_points: int | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.kernel = point_kernel(kernel)
        super().__init__(centres, scale, num_points, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p(value), in memory that does not grow with the number of pairs of points."""
        if self._validate_args:
            self._validate_sample(value)
        points, centres, lead = flat_pairs(value, self.centres)
        scale = self.scale.expand(lead).reshape(-1)
        return log_mixture(self.kernel, points, centres, scale).sum(dim=-1).reshape(lead)

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw clouds; differentiable, since which centre a point belongs to depends on no parameter."""
        count, size = self.centres.shape[-2:]
        batch = torch.Size(sample_shape) + self.batch_shape
        choice = torch.randint(count, (*batch, self.event_shape[0], 1), device=self.centres.device)
        centres = self.centres.expand(*batch, count, size)
        return self.kernel.rsample(centres.gather(-2, choice.expand(*choice.shape[:-1], size)), self.scale)
