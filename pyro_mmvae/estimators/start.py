"""Where annealing starts: a density for each data point, and coordinates in which it is about N(0, I)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import moments, posterior_under
from pyro_mmvae.estimators.laplace import Laplace, components, laplace
from pyro_mmvae.estimators.proposal import Refinement, refined
from pyro_mmvae.estimators.target import Target
from pyro_mmvae.guide import Guide

StartName = Literal["prior", "guide", "refined", "laplace"]
StartLike = StartName | Refinement | Laplace
REFINEMENT = Refinement(steps=50)
"""Steps of a refined start."""


@dataclass(frozen=True)
class Start:
    """A density q_0(z) of each of N data points.

    Attributes:
        sample: from a number of chains C to draws `(C, N, D)`.
        log_prob: log q_0 of draws `(C, N, D)`, shape `(C, N)`, differentiable in them.
        root: symmetric square root of a covariance, `(N, D, D)`, or standard deviations `(N, D)`. Chains move in
            coordinates that it makes white, z = m + root u: Hamiltonian steps need no other mass matrix there.
    """

    sample: Callable[[int], Tensor]
    log_prob: Callable[[Tensor], Tensor]
    root: Tensor

    def colour(self, value: Tensor) -> Tensor:
        """Return root times vectors `(C, N, D)`: whitened momenta to velocities, gradients to whitened ones."""
        if self.root.dim() == 2:
            return self.root * value
        return torch.einsum("nij,cnj->cni", self.root, value)


def start_of(kind: StartLike, target: Target, batch: Batch, guide: Guide | None) -> Start:
    """Return the start of annealing for N data points.

    Args:
        kind: which one, or the settings of a refined or a Laplace start.
        target: what is annealed to.
        batch: the data points, as the guide may see them.
        guide: gives the posterior q(z | batch). Without one a refined or Laplace start is fitted from the prior.
    """
    points = batch.size
    if guide is None or kind == "prior":
        if kind in ("prior", "guide"):
            return _prior(target.prior, points)
        posterior: TorchDistribution = target.prior.expand(torch.Size((points,)))
    else:
        posterior = posterior_under(target.model, guide, batch, target.prior)
    if isinstance(kind, Laplace) or kind == "laplace":
        fit = laplace(posterior, target, kind if isinstance(kind, Laplace) else Laplace())
        return Start(fit.sample, fit.log_prob, fit.densest_root())
    if isinstance(kind, Refinement) or kind == "refined":
        posterior = refined(posterior, target.log_joint, kind if isinstance(kind, Refinement) else REFINEMENT)
    return Start(lambda chains: posterior.sample((chains,)), posterior.log_prob, _scale(posterior))


def _prior(prior: TorchDistribution, points: int) -> Start:
    scale = moments(prior)[1]
    return Start(lambda chains: prior.sample((chains, points)), prior.log_prob, scale.expand(points, -1))


def _scale(posterior: TorchDistribution) -> Tensor:
    """Return standard deviations; of a mixture those within components, which chains move in."""
    _, scale, log_weight = components(posterior)
    return (log_weight.exp().unsqueeze(-1) * scale.square()).sum(0).sqrt()
