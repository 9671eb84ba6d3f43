"""The mixture of a guide's own posteriors of learned pseudo-inputs."""

from __future__ import annotations

from typing import Any, Self

import pyro.distributions as dist
import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.mixture import Mixture
from pyro_mmvae.guide import Guide
from pyro_mmvae.priors.base import Prior
from pyro_mmvae.requirements import SAME_GUIDE


class Vamp(Prior):
    """p(z) = 1/K sum_k q(z | u_k), the u_k learned pseudo-inputs (VampPrior, Tomczak & Welling 2018, arXiv:1705.07120).

    A pseudo-input has a value for every modality that the guide encodes; q is the posterior of all of them. The guide's
    weights are borrowed: they are stored and trained once, as the guide's, and get a gradient from both. Move prior
    and guide to a device together. Encoders see the pseudo-inputs as a batch of their own, with its own statistics.

    Args:
        guide: whose posterior it is; the one that the model is trained with.
        start: K complete samples, from which the pseudo-inputs start; of real values.

    Raises:
        ValueError: `start` lacks a modality or some of its values, holds none, or holds values that are not real.
    """

    requires = (SAME_GUIDE,)
    borrowed: tuple[Guide]

    def __init__(self, guide: Guide, start: Batch) -> None:
        super().__init__(guide.latent_dim)
        _check(guide, start)
        self.borrowed = (guide,)  # in a tuple: a submodule would be stored and saved twice
        self.pseudo = nn.ParameterDict({n: nn.Parameter(start.data[n].detach().clone()) for n in guide.inputs})

    def forward(self) -> TorchDistribution:
        """Return the mixture of the posteriors of the pseudo-inputs."""
        (guide,) = self.borrowed
        values: dict[str, Tensor] = dict(self.pseudo.items())
        seen = {n: torch.ones(len(v), dtype=torch.bool, device=v.device) for n, v in values.items()}
        return _uniform_mixture(guide.posterior(Batch(values, seen)), next(iter(values.values())))

    @classmethod
    def of(cls, guide: Guide, start: Batch, **options: Any) -> Self:
        """Return a prior whose pseudo-inputs start from data."""
        return cls(guide, start, **options)


def _uniform_mixture(posteriors: TorchDistribution, like: Tensor) -> TorchDistribution:
    """Return the mixture of K posteriors, batch shape `(K,)`; a mixture of mixtures is one mixture."""
    if not isinstance(posteriors, MixtureSameFamily):
        weights = dist.Categorical(logits=like.new_zeros(posteriors.batch_shape))
        return Mixture(weights, posteriors)
    parts = posteriors.component_distribution.base_dist
    components = dist.Normal(parts.loc.flatten(0, 1), parts.scale.flatten(0, 1)).to_event(1)
    return Mixture(dist.Categorical(logits=posteriors.mixture_distribution.logits.flatten()), components)


def _check(guide: Guide, start: Batch) -> None:
    if lacking := [n for n in guide.inputs if n not in start.data]:
        raise ValueError(f"start: the pseudo-inputs need {list(guide.inputs)}, but {lacking} are not in the batch")
    if not start.size:
        raise ValueError("start: expected at least one sample, got none")
    if hidden := [n for n in guide.inputs if not bool(start.observed[n].all())]:
        raise ValueError(f"start: expected complete samples, but some lack {hidden}")
    if discrete := [n for n in guide.inputs if not start.data[n].is_floating_point()]:
        raise ValueError(f"start: pseudo-inputs are learned, but {discrete} are not real numbers; make labels one-hot")
