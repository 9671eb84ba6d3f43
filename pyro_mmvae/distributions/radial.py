"""The Laplace distribution of the unsquared Euclidean norm."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Gamma, constraints


class RadialLaplace(TorchDistribution):
    r"""Isotropic density that falls exponentially with the distance from its centre.

    .. math::
        p(y) = \frac{1}{S_{d-1} \Gamma(d) b^d} \exp(-\|y - \mu\| / b), \qquad
        S_{d-1} = \frac{2 \pi^{d/2}}{\Gamma(d/2)}

    Its negative logarithm is the unsquared norm that Gupta (2021, section 4.3) trains poses and heat maps with,
    plus the constants that make it a density. The direction of y - mu is uniform and its length is Gamma(d, b)
    distributed. With d = 1 it is the ordinary Laplace distribution; with d = 3 the normaliser is 8 pi b^3.

    Args:
        loc: centre mu, shape `(*batch, *event)`.
        scale: b > 0, a number or a tensor that broadcasts against `batch`; the mean distance is d b.
        event_dim: number of dimensions over which the norm is taken; d is the product of their sizes.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real, "scale": constraints.positive}
    has_rsample = True

    def __init__(
        self, loc: Tensor, scale: Tensor | float, event_dim: int = 1, *, validate_args: bool | None = None
    ) -> None:
        if not 1 <= event_dim <= loc.dim():
            raise ValueError(f"event_dim must lie in [1, {loc.dim()}] for loc of shape {tuple(loc.shape)}")
        batch, event = loc.shape[: loc.dim() - event_dim], loc.shape[loc.dim() - event_dim :]
        self.loc, self.scale = _broadcast(loc, scale, batch, event)
        super().__init__(self.scale.shape, event, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> constraints.Constraint:
        """All reals."""
        return constraints.independent(constraints.real, len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        """The centre."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate, (d + 1) b^2."""
        variance = (self.event_shape.numel() + 1) * self.scale.square()
        return _spread(variance, self.event_shape).expand_as(self.loc)

    def expand(self, batch_shape: torch.Size, _instance: RadialLaplace | None = None) -> RadialLaplace:
        """Return the distribution with a larger batch shape; nothing is copied."""
        new = self._get_checked_instance(RadialLaplace, _instance)
        batch = torch.Size(batch_shape)
        new.loc, new.scale = self.loc.expand(batch + self.event_shape), self.scale.expand(batch)
        super(RadialLaplace, new).__init__(batch, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p(value); the gradient at the centre itself is 0."""
        if self._validate_args:
            self._validate_sample(value)
        norm_dims = tuple(range(-len(self.event_shape), 0))
        distance = torch.linalg.vector_norm(value - self.loc, dim=norm_dims)
        return -distance / self.scale - log_radial_normaliser(self.scale, self.event_shape.numel())

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw samples, differentiable with respect to centre and scale."""
        batch = torch.Size(sample_shape) + self.batch_shape
        size = self.event_shape.numel()
        direction = torch.nn.functional.normalize(self.loc.new_empty(*batch, size).normal_(), dim=-1)
        length = Gamma(self.loc.new_full((), size), self.loc.new_ones(()), validate_args=False).sample(batch)
        step = direction * (length * self.scale).unsqueeze(-1)
        return self.loc + step.reshape(batch + self.event_shape)

    def entropy(self) -> Tensor:
        """Return the differential entropy, d + log(S_{d-1} Gamma(d) b^d)."""
        size = self.event_shape.numel()
        return size + log_radial_normaliser(self.scale, size)


def log_radial_normaliser(scale: Tensor, size: int) -> Tensor:
    """Logarithm of the integral of exp(-||y|| / b) over R^d, which is S_{d-1} Gamma(d) b^d.

    Args:
        scale: b.
        size: d.
    """
    sphere = math.log(2.0) + 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size)
    return sphere + math.lgamma(size) + size * scale.log()


def _broadcast(loc: Tensor, scale: Tensor | float, batch: torch.Size, event: torch.Size) -> tuple[Tensor, Tensor]:
    scale = scale if isinstance(scale, Tensor) else loc.new_full((), scale)
    shape = torch.broadcast_shapes(batch, scale.shape)
    return loc.expand(shape + event), scale.expand(shape)


def _spread(value: Tensor, event: torch.Size) -> Tensor:
    return value.reshape(value.shape + (1,) * len(event))
