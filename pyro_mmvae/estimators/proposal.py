"""Proposals: what the draws of an importance-sampling estimate come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.blind import moments
from pyro_mmvae.distributions.hierarchical import redrawn


class Proposal(Protocol):
    """A density of z for each data point: batch shape `(N,)`, event shape `(D,)`."""

    def sample(self) -> Tensor:
        """Return one draw for each data point, shape `(N, D)`."""
        ...

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of draws `(C, N, D)`, shape `(C, N)`."""
        ...


@dataclass(frozen=True)
class Defensive:
    """(1 - share) q(z) + share p(z): no importance weight can exceed p(x | z) / share (Hesterberg 1995).

    Args:
        posterior: q.
        prior: p, batch shape `()`.
        share: of the prior, in (0, 1).
    """

    posterior: Proposal
    prior: TorchDistribution
    share: float

    def sample(self) -> Tensor:
        """Return one draw for each data point."""
        own = self.posterior.sample()
        other = self.prior.sample(own.shape[:1])
        chosen = torch.rand(own.shape[:1], device=own.device) < self.share
        return torch.where(chosen.unsqueeze(-1), other, own)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of the mixture."""
        own = self.posterior.log_prob(value) + math.log1p(-self.share)
        return torch.logaddexp(own, self.prior.log_prob(value) + math.log(self.share))


@redrawn.register
def _(distribution: Defensive, sample_shape: Sequence[int] = ()) -> Proposal:
    posterior = redrawn(distribution.posterior, sample_shape)
    return distribution if posterior is distribution.posterior else replace(distribution, posterior=posterior)


def scored_draws(proposal: Proposal, count: int) -> tuple[Tensor, Tensor]:
    """Return draws `(C, N, D)` and their log densities `(C, N)`.

    One draw is made after the other, so that the random stream does not know how many are made at once. Each is scored
    under the density given its own inner draw, if the proposal has any (see `Hierarchical`).
    """
    each, draws = [], []
    for _ in range(count):
        each.append(redrawn(proposal))
        draws.append(each[-1].sample())
    z = torch.stack(draws)
    if all(one is proposal for one in each):
        return z, proposal.log_prob(z)
    return z, torch.stack([one.log_prob(draw) for one, draw in zip(each, z, strict=True)])


@dataclass(frozen=True)
class Refinement:
    """How a proposal is refined for each data point.

    Args:
        steps: of Adam.
        learning_rate: of Adam, for means in units of the posterior's standard deviations and for log scales.
        num_samples: draws in a step.
        decay: whether the rate falls to zero linearly: ends closer to the best Gaussian, where the steps are many.
    """

    steps: int = 20
    learning_rate: float = 0.05
    num_samples: int = 4
    decay: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.steps < 0 or self.num_samples < 1 or self.learning_rate <= 0:
            raise ValueError(f"expected steps >= 0, num_samples >= 1 and learning_rate > 0, got {self}")


def refined(
    posterior: TorchDistribution, log_joint: Callable[[Tensor], Tensor], refinement: Refinement
) -> TorchDistribution:
    """Return a diagonal Gaussian for each data point, fitted by a few steps on its own ELBO (Kim et al. 2018).

    It starts from the posterior's mean and standard deviation. Any proposal is allowed in importance sampling; this one
    only costs time (semi-amortised inference, arXiv:1802.02550).

    Args:
        posterior: batch shape `(N,)`.
        log_joint: log p(x, z) of draws `(C, N, D)`, shape `(C, N)`.
        refinement: steps and rates.
    """
    start, unit = (moment.detach() for moment in moments(posterior))
    with torch.enable_grad():
        shift = torch.zeros_like(start, requires_grad=True)
        log_ratio = torch.zeros_like(start, requires_grad=True)
        optimiser = torch.optim.Adam([shift, log_ratio], lr=refinement.learning_rate)
        for step in range(refinement.steps):
            if refinement.decay:
                optimiser.param_groups[0]["lr"] = refinement.learning_rate * (1 - step / refinement.steps)
            noise = torch.randn(refinement.num_samples, *start.shape, dtype=start.dtype, device=start.device)
            z = start + unit * (shift + log_ratio.exp() * noise)
            bound = log_joint(z).mean(0) + log_ratio.sum(-1)
            # The model's own parameters get no gradient.
            shift.grad, log_ratio.grad = torch.autograd.grad(-bound.sum(), [shift, log_ratio])
            optimiser.step()
    return dist.Normal(start + unit * shift.detach(), unit * log_ratio.detach().exp()).to_event(1)
