"""Pick some of the rows of a batched posterior."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution


@singledispatch
def take_rows(posterior: TorchDistribution, rows: Sequence[int], dim: int = -2) -> TorchDistribution:
    """Return the posterior of some rows.

    Args:
        posterior: batch shape `(T, B)`, or with more dimensions.
        rows: indices of the rows, possibly repeated.
        dim: dimension of the batch shape that holds the rows, counted from the right.

    Raises:
        NotImplementedError: for a family that has not been registered: `@take_rows.register`.
    """
    raise NotImplementedError(
        f"no rule to take rows of {type(posterior).__name__}; register one with @take_rows.register"
    )


@take_rows.register
def _(posterior: dist.Independent, rows: Sequence[int], dim: int = -2) -> TorchDistribution:
    inner = take_rows(posterior.base_dist, rows, dim - posterior.reinterpreted_batch_ndims)
    return inner.to_event(posterior.reinterpreted_batch_ndims)


@take_rows.register
def _(posterior: torch.distributions.Normal, rows: Sequence[int], dim: int = -2) -> TorchDistribution:
    return dist.Normal(_select(posterior.loc, rows, dim), _select(posterior.scale, rows, dim))


@take_rows.register
def _(posterior: torch.distributions.Categorical, rows: Sequence[int], dim: int = -2) -> TorchDistribution:
    return dist.Categorical(logits=_select(posterior.logits, rows, dim - 1))


@take_rows.register
def _(posterior: torch.distributions.MixtureSameFamily, rows: Sequence[int], dim: int = -2) -> TorchDistribution:
    return dist.MixtureSameFamily(
        take_rows(posterior.mixture_distribution, rows, dim),
        take_rows(posterior.component_distribution, rows, dim - 1),
    )


def _select(value: torch.Tensor, rows: Sequence[int], dim: int) -> torch.Tensor:
    # Stacking views needs no index tensor, hence no copy from the host.
    return torch.stack([value.select(dim, row) for row in rows], dim=dim)
