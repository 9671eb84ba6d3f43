"""A Gaussian that is reached through a draw of an inner one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, singledispatch

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor


class Hierarchical(dist.Independent):
    """N(mu(u), sigma(u)) with u ~ r(u): the mixture over u has no density in closed form.

    What can be written down is the Gaussian *given* u, and a draw of z is to be scored under the one of its own u: the
    expectation over u of p(x, z) / q(z | u) is p(x), and that of log p(x, z) - log q(z | u) is a bound on log p(x). The
    distribution itself, with its mean, draws and density, is the Gaussian at u's mean; `redrawn` is that of a fresh u.

    Args:
        inner: r(u), batch shape `(*lead, B)`; draws have any event shape.
        given: returns the diagonal Gaussian given u `(*more, *lead, B, *event of u)`, batch shape `(*more, *lead, B)`.
        event_shape: of z.
    """

    def __init__(
        self, inner: TorchDistribution, given: Callable[[Tensor], TorchDistribution], event_shape: Sequence[int]
    ) -> None:
        self.inner, self.given = inner, given
        self.reinterpreted_batch_ndims = len(event_shape)
        # Nobody else's constructor: all of them want the Gaussian at the mean, which who draws u does not need.
        self._batch_shape, self._event_shape = inner.batch_shape, torch.Size(event_shape)

    @cached_property
    def base_dist(self) -> TorchDistribution:
        """The Gaussian at u's mean."""
        return self.given(self.inner.mean).base_dist

    def expand(self, batch_shape: torch.Size, _instance: object = None) -> TorchDistribution:
        """Return the Gaussian at u's mean, expanded; u is left behind."""
        return dist.Independent(self.base_dist, self.reinterpreted_batch_ndims).expand(batch_shape)


@singledispatch
def redrawn(distribution: TorchDistribution, sample_shape: Sequence[int] = ()) -> TorchDistribution:
    """Return a distribution with its inner draws made anew; one that has none is returned as it is.

    Args:
        distribution: batch shape `(*lead, B)`.
        sample_shape: number of inner draws, which become leading dimensions of the batch shape.
    """
    return distribution


@redrawn.register
def _(distribution: Hierarchical, sample_shape: Sequence[int] = ()) -> TorchDistribution:
    return distribution.given(distribution.inner.sample(torch.Size(sample_shape)))


def draws(distribution: TorchDistribution, sample_shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return draws, each through an inner draw of its own, and the log density that each is to be scored by.

    Returns:
        Shapes `(*sample_shape, *lead, B, D)` and `(*sample_shape, *lead, B)`.
    """
    each = redrawn(distribution, sample_shape)
    z: Tensor = distribution.sample(torch.Size(sample_shape)) if each is distribution else each.sample()
    return z, each.log_prob(z)
