"""Products and moment averages of diagonal Gaussian experts."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.mixture import Mixture


def product_of_normals(loc: Tensor, precision: Tensor, prior_precision: Tensor | float = 0.0) -> TorchDistribution:
    """Return the normalised product of Gaussian experts (Wu & Goodman 2018, arXiv:1802.05335, section 2.2).

    An expert that has no say has precision zero. Where no expert has one, the result is N(0, I).

    Args:
        loc: the experts' means, shape `(*lead, M, D)`.
        precision: the experts' precisions 1 / variance, already weighted or masked, same shape.
        prior_precision: precision of one more expert centred on zero; 1 makes the prior N(0, I) an expert. A tensor
            broadcasts against `(*lead, D)`.

    Returns:
        A diagonal Gaussian with batch shape `lead` and event shape `(D,)`.
    """
    total = _total(precision, prior_precision)
    return diagonal_normal((loc * precision).sum(-2) / total, total.rsqrt())


def shares_of_product(precision: Tensor, prior_precision: Tensor | float = 0.0) -> Tensor:
    """Return by how much each expert's mean counts in the mean of `product_of_normals`, shape `(*lead, M, D)`."""
    return precision / _total(precision, prior_precision).unsqueeze(-2)


def _total(precision: Tensor, prior_precision: Tensor | float) -> Tensor:
    total = precision.sum(-2) + prior_precision
    # Where it is zero the numerator is zero too, and dividing by one gives the standard normal.
    return torch.where(total > 0, total, torch.ones_like(total))


def moment_average(loc: Tensor, scale: Tensor, weight: Tensor) -> TorchDistribution:
    """Return the Gaussian whose mean and variance are averages of the experts' (Gupta 2021, eq. 5.11-5.12).

    It is not the moment match of the mixture, whose variance would add the spread of the means.

    Args:
        loc: the experts' means, shape `(*lead, M, D)`.
        scale: the experts' standard deviations, same shape.
        weight: shape `(*lead, M, D)`, or `(*lead, M, 1)` for all dimensions alike; non-negative, summing to one over
            M, or all zero, which gives N(0, I).

    Returns:
        A diagonal Gaussian with batch shape `lead` and event shape `(D,)`.
    """
    variance = (weight * scale.square()).sum(-2) + (1 - weight.sum(-2)).clamp_min(0)
    return diagonal_normal((weight * loc).sum(-2), variance.sqrt())


def prior_where_blind(loc: Tensor, scale: Tensor, observed: Tensor) -> TorchDistribution:
    """Return a diagonal Gaussian, and N(0, I) where nothing is observed.

    Args:
        loc: means, shape `(*lead, D)`.
        scale: standard deviations, same shape.
        observed: bool, shape `(*lead, M)`.

    Returns:
        Batch shape `lead` and event shape `(D,)`.
    """
    anything = observed.any(dim=-1, keepdim=True)
    return diagonal_normal(torch.where(anything, loc, 0.0), torch.where(anything, scale, 1.0))


def mixture_of_normals(logits: Tensor, loc: Tensor, scale: Tensor) -> TorchDistribution:
    """Return a mixture of C diagonal Gaussians.

    Args:
        logits: of the components' weights, shape `(*lead, C)`.
        loc: their means, shape `(*lead, C, D)`.
        scale: their standard deviations, same shape.

    Returns:
        Batch shape `lead` and event shape `(D,)`.
    """
    # PyTorch's argument checks fail on a batch without samples.
    checked = False if _traced() or not logits.numel() else None
    components = dist.Normal(loc, scale, validate_args=checked).to_event(1)
    weights = dist.Categorical(logits=logits, validate_args=checked)
    return Mixture(weights, components, validate_args=checked)


def diagonal_normal(loc: Tensor, scale: Tensor, event_dims: int = 1) -> TorchDistribution:
    """Return a Gaussian of independent dimensions, the last `event_dims` of them events; `torch.export` takes it."""
    return dist.Normal(loc, scale, validate_args=False if _traced() else None).to_event(event_dims)


def _traced() -> bool:
    """Whether `torch.export` or `torch.compile` is looking on: argument checks want values, and a graph has none."""
    return torch.compiler.is_compiling()
