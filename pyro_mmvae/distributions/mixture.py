"""Mixtures that can be differentiated: one reparameterised draw from every component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from torch import Tensor

from pyro_mmvae.errors import IncompatibleError


class StratifiedMixture(TorchDistribution):
    """A mixture drawn by strata: index c along the leftmost own dimension is a draw from component c.

    `MixtureSameFamily` has no `rsample`, and a bound written with its `sample` has the right value and a zero
    gradient. Here every component is sampled once, reparameterised, and scored under the *whole* mixture; the
    caller sums over the strata with `weights`. The component index is thereby summed out exactly.

    Args:
        mixture: batch shape `batch`, C components.

    Attributes:
        weights: probability of every component, shape `(C, *batch)`.

    Shapes:
        batch shape `(C, *batch)`; `expand` may add dimensions to its left.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(self, mixture: MixtureSameFamily, lead: torch.Size | None = None) -> None:
        if not mixture.component_distribution.has_rsample:
            raise ValueError(f"the components of {mixture} cannot be reparameterised")
        self.mixture = mixture
        self._lead = torch.Size(lead or ())
        count = mixture.mixture_distribution.probs.shape[-1]
        shape = torch.Size((*self._lead, count, *mixture.batch_shape))
        super().__init__(shape, mixture.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        """Support of the components."""
        return self.mixture.support

    @property
    def weights(self) -> Tensor:
        """Probability of every component, shape `(C, *batch)`."""
        probs: Tensor = self.mixture.mixture_distribution.probs
        return probs.movedim(-1, 0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> StratifiedMixture:
        """Add dimensions to the left of the strata, e.g. particles."""
        own = len(self.batch_shape) - len(self._lead)
        batch_shape = torch.Size(batch_shape)
        if batch_shape[len(batch_shape) - own :] != self.batch_shape[len(self._lead) :]:
            raise ValueError(f"cannot expand strata of shape {tuple(self.batch_shape)} to {tuple(batch_shape)}")
        return StratifiedMixture(self.mixture, batch_shape[: len(batch_shape) - own])

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw once from every component, shape `(*sample_shape, *lead, C, *batch, *event)`."""
        lead = torch.Size(sample_shape) + self._lead
        draws: Tensor = self.mixture.component_distribution.rsample(lead)
        return draws.movedim(-1 - len(self.event_shape), len(lead))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density of the whole mixture, shape of the broadcast batch."""
        return self.mixture.log_prob(value)


class Mixture(MixtureSameFamily):
    """A mixture whose support is that of its components.

    PyTorch has a support of its own for mixtures, which NUTS cannot map to real vectors.
    """

    @property
    def support(self) -> Any:
        """Support of the components."""
        return self.component_distribution.support


def central_point(distribution: TorchDistribution) -> Tensor:
    """Return the mean, or for a mixture `densest_mean`; shape `(*batch, D)`.

    Raises:
        IncompatibleError: the mean has no closed form, as that of a flow.
    """
    if isinstance(distribution, MixtureSameFamily):
        return densest_mean(distribution)
    try:
        mean: Tensor = distribution.mean
    except NotImplementedError as error:
        raise IncompatibleError(
            f"{type(distribution).__name__} has no mean in closed form; override `point` of the guide or of the prior "
            f"that returns it, for instance with what the flow makes of the centre of its base"
        ) from error
    return mean


def densest_mean(mixture: MixtureSameFamily) -> Tensor:
    """Return, of the means of a mixture's components, the one at which the mixture is densest.

    It is the cheap stand-in for the mixture's mode: exact where the components are far apart, and a component's mean in
    any case. Components of weight zero are out; of several that are equally dense it is the first.

    Args:
        mixture: batch shape `(*batch)`, event shape `(D,)`.

    Returns:
        Shape `(*batch, D)`.
    """
    means = mixture.component_distribution.mean.movedim(-2, 0)  # (C, *batch, D)
    weights = mixture.mixture_distribution.probs.movedim(-1, 0)
    density = torch.where(weights > 0, mixture.log_prob(means), -torch.inf)
    chosen = density.argmax(0, keepdim=True).unsqueeze(-1)
    return means.gather(0, chosen.expand(1, *means.shape[1:])).squeeze(0)
