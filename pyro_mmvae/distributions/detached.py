"""A posterior whose parameters are constants."""

from __future__ import annotations

from functools import singledispatch

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution


@singledispatch
def detached(posterior: TorchDistribution) -> TorchDistribution:
    """Return the same distribution with parameters that take no gradient; its density still has one for the value.

    Raises:
        NotImplementedError: for a family that has not been registered: `@detached.register`.
    """
    raise NotImplementedError(f"no rule to detach {type(posterior).__name__}; register one with @detached.register")


@detached.register
def _(posterior: dist.Independent) -> TorchDistribution:
    return detached(posterior.base_dist).to_event(posterior.reinterpreted_batch_ndims)


@detached.register
def _(posterior: torch.distributions.Normal) -> TorchDistribution:
    return dist.Normal(posterior.loc.detach(), posterior.scale.detach())


@detached.register
def _(posterior: torch.distributions.Categorical) -> TorchDistribution:
    return dist.Categorical(logits=posterior.logits.detach())


@detached.register
def _(posterior: torch.distributions.MixtureSameFamily) -> TorchDistribution:
    return dist.MixtureSameFamily(detached(posterior.mixture_distribution), detached(posterior.component_distribution))
