"""Isotropic kernels around points: log-density of an equal mixture, and noise."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pyro_mmvae.distributions.radial import RadialLaplace, log_radial_normaliser
from pyro_mmvae.pointclouds.pairs import chunks, distances, unit_scale

# Pairs of points at a time (the cache of a CPU; few kernel launches elsewhere), and those whose distances are kept
# for the backward pass; beyond, they are computed again there.
_CPU_PAIRS, _DEVICE_PAIRS = 2**18, 2**23
_KEPT_PAIRS = 2**23


class PointKernel(ABC):
    """An isotropic density around a centre in R^d."""

    @abstractmethod
    def log_unnormalised(self, distance: Tensor, scale: Tensor) -> Tensor:
        """Log-density at some distance from the centre, up to the normaliser."""

    @abstractmethod
    def log_normaliser(self, scale: Tensor, size: int) -> Tensor:
        """Logarithm of the integral over R^d, d = `size`, shape of the scale."""

    @abstractmethod
    def rsample(self, centres: Tensor, scale: Tensor) -> Tensor:
        """Add noise to the points `(*lead, N, d)`, with a scale that broadcasts against `lead`."""


class LaplaceKernel(PointKernel):
    """exp(-distance / b); see `RadialLaplace`."""

    def log_unnormalised(self, distance: Tensor, scale: Tensor) -> Tensor:
        """Minus the distance in units of b."""
        return -distance / scale

    def log_normaliser(self, scale: Tensor, size: int) -> Tensor:
        """S_{d-1} Gamma(d) b^d, or 8 pi b^3 in space."""
        return log_radial_normaliser(scale, size)

    def rsample(self, centres: Tensor, scale: Tensor) -> Tensor:
        """Uniform direction, length Gamma(d, b)."""
        return RadialLaplace(centres, scale.unsqueeze(-1), 1, validate_args=False).rsample()


class GaussianKernel(PointKernel):
    """exp(-distance^2 / (2 s^2))."""

    def log_unnormalised(self, distance: Tensor, scale: Tensor) -> Tensor:
        """Minus half the squared distance in units of s."""
        return -0.5 * (distance / scale).square()

    def log_normaliser(self, scale: Tensor, size: int) -> Tensor:
        """(2 pi s^2)^(d/2)."""
        return 0.5 * size * math.log(2 * math.pi) + size * scale.log()

    def rsample(self, centres: Tensor, scale: Tensor) -> Tensor:
        """Normal noise of standard deviation s per coordinate."""
        return centres + torch.randn_like(centres) * scale[..., None, None]


POINT_KERNELS: Mapping[str, PointKernel] = MappingProxyType({"laplace": LaplaceKernel(), "gaussian": GaussianKernel()})


def point_kernel(name: str) -> PointKernel:
    """Return the kernel of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in POINT_KERNELS:
        raise ValueError(f"expected a kernel out of {sorted(POINT_KERNELS)}, got {name!r}")
    return POINT_KERNELS[name]


def log_mixture(kernel: PointKernel, points: Tensor, centres: Tensor, scale: Tensor) -> Tensor:
    """Log-density of each point under the equal mixture of kernels around the centres.

    Memory is bounded: the pairs are visited in chunks, and where there are many, their distances are computed
    again in the backward pass instead of being kept.

    Args:
        kernel: density around each centre.
        points: shape `(L, N, d)`.
        centres: shape `(L, M, d)`.
        scale: shape `(L,)`.

    Returns:
        Shape `(L, N)`.
    """
    count, size = centres.shape[-2:]
    normaliser = kernel.log_normaliser(scale, size).unsqueeze(-1)
    unit = unit_scale(points, centres)
    points, centres, scale = points / unit, centres / unit, scale / unit[:, 0, 0]
    budget = _CPU_PAIRS if points.device.type == "cpu" else _DEVICE_PAIRS
    keep = len(points) * points.shape[-2] * count <= _KEPT_PAIRS

    def part_of(clouds: slice, rows: slice) -> Tensor:
        args = kernel, points[clouds, rows], centres[clouds], scale[clouds]
        if keep:
            return _log_kernel_sum(*args)
        # Nothing random is computed again: the generators' states, which live on the device, need no saving.
        return checkpoint(_log_kernel_sum, *args, use_reentrant=False, preserve_rng_state=False)

    cloud_cost = points.shape[-2] * count
    total = torch.cat(
        [
            torch.cat([part_of(part, rows) for rows in chunks(points.shape[-2], count, budget)], dim=-1)
            for part in chunks(len(points), cloud_cost, budget)
        ]
    )
    return total - normaliser - math.log(count)


def _log_kernel_sum(kernel: PointKernel, points: Tensor, centres: Tensor, scale: Tensor) -> Tensor:
    return fast_logsumexp(kernel.log_unnormalised(distances(points, centres), scale[:, None, None]))


def fast_logsumexp(value: Tensor) -> Tensor:
    """`torch.logsumexp` over the last dimension, for finite values, without the cost of underflowing exponents.

    On CPUs `exp` of single-precision values that underflow is some twenty times slower than of others. Terms below
    exp(-60) of the largest are therefore taken as that: it changes the sum by less than its rounding.
    """
    largest = value.detach().amax(dim=-1, keepdim=True)
    return (value - largest).clamp_min_(-60.0).exp_().sum(dim=-1).log() + largest.squeeze(-1)
