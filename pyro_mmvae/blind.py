"""Samples of which nothing is observed: the model's prior stands where a guide, which knows no model, has N(0, I)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.hierarchical import redrawn
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE

_MOMENT_DRAWS = 1000


def posterior_under(
    model: MultimodalVAE, guide: Guide, batch: Batch, prior: TorchDistribution | None = None
) -> TorchDistribution:
    """Return the guide's posterior, and the model's prior for samples of which the guide sees nothing.

    Under the prior N(0, I) it is `guide.posterior(batch)` itself. Otherwise it can be sampled and scored, not
    reparameterised: objectives leave such samples out and do not need it.

    Args:
        model: gives the prior.
        guide: gives the rest.
        batch: B samples.
        prior: p(z), if it is at hand.

    Returns:
        A distribution with batch shape `(*lead, B)` and event shape `(D,)`.
    """
    posterior = guide.posterior(batch)
    if model.prior.standard:
        return posterior
    return BlindPrior(posterior, model.prior() if prior is None else prior, _blind(guide, batch))


def point_under(model: MultimodalVAE, guide: Guide, batch: Batch) -> Tensor:
    """Return `guide.point(batch)`, and the prior's point where the guide sees nothing; shape `(*lead, B, D)`."""
    point = guide.point(batch)
    if model.prior.standard:
        return point
    return torch.where(_blind(guide, batch).unsqueeze(-1), model.prior.point(), point)


def moments(distribution: TorchDistribution) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, from draws where there is no closed form; shapes `(*batch, D)`."""
    try:
        return distribution.mean, distribution.stddev
    except NotImplementedError:
        draws = distribution.sample((_MOMENT_DRAWS,))
        return draws.mean(0), draws.std(0)


class BlindPrior(TorchDistribution):
    """A posterior, and a prior in the places where nothing is observed.

    Args:
        posterior: batch shape `(*lead, B)`.
        prior: batch shape `()`.
        blind: where nothing is observed, bool `(*lead, B)`.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, posterior: TorchDistribution, prior: TorchDistribution, blind: Tensor) -> None:
        self.posterior, self.prior, self.blind = posterior, prior, blind
        super().__init__(posterior.batch_shape, posterior.event_shape, validate_args=False)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw samples."""
        own = self.posterior.sample(torch.Size(sample_shape))
        return torch.where(self.blind.unsqueeze(-1), self.prior.sample(own.shape[:-1]), own)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        return torch.where(self.blind, self.prior.log_prob(value), self.posterior.log_prob(value))

    @property
    def mean(self) -> Tensor:
        """Mean of the part that counts."""
        return self._moment(0)

    @property
    def variance(self) -> Tensor:
        """Variance of the part that counts."""
        return self._moment(1).square()

    def _moment(self, which: int) -> Tensor:
        return torch.where(self.blind.unsqueeze(-1), moments(self.prior)[which], moments(self.posterior)[which])


@redrawn.register
def _(distribution: BlindPrior, sample_shape: Sequence[int] = ()) -> TorchDistribution:
    posterior = redrawn(distribution.posterior, sample_shape)
    if posterior is distribution.posterior:
        return distribution
    return BlindPrior(posterior, distribution.prior, distribution.blind)


def _blind(guide: Guide, batch: Batch) -> Tensor:
    return ~guide.observed(batch).any(dim=-1)
