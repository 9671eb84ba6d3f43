"""What an estimator returns: a number for each data point, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from pyro_mmvae.estimators.floats import on_host

KHAT_LIMIT = 0.7
"""Pareto k-hat above which an importance-sampling estimate is not to be believed (Vehtari et al. 2024)."""

_PARTS = ("value", "standard_error", "ess", "khat", "available")


@dataclass(frozen=True)
class Estimate:
    """Estimates of log-likelihoods, in nats.

    Attributes:
        value: estimate for each data point, shape `(B,)`; NaN where nothing of `of` is observed.
        standard_error: Monte-Carlo standard error of `value`, shape `(B,)`: the spread over other seeds.
        ess: effective sample size of the importance weights, from 1 to K, shape `(B,)`.
        khat: Pareto shape of the largest importance weights, shape `(B,)`. Above 0.7 the weights have a tail so heavy
            that value and standard error are not to be believed; NaN if K is too small to tell (below 25).
        available: whether there is anything to estimate, bool `(B,)`.
        of: what the log-likelihood is of.
        given: what the proposal looked at.
        num_samples: number of draws K.
        on: what the log-likelihood is conditioned on, if anything.
    """

    value: Tensor
    standard_error: Tensor
    ess: Tensor
    khat: Tensor
    available: Tensor
    of: tuple[str, ...]
    given: tuple[str, ...]
    num_samples: int
    on: tuple[str, ...] = ()

    @property
    def quantity(self) -> str:
        """What is estimated, such as `log p(image | label)`."""
        return f"log p({', '.join(self.of)}{' | ' if self.on else ''}{', '.join(self.on)})"

    @property
    def mean(self) -> float:
        """Mean over the available data points; NaN if there is none."""
        return float(on_host(self.value[self.available]).mean())

    def summary(self) -> dict[str, float]:
        """Return the numbers of a table, over the available data points.

        Returns:
            `mean`; `se`, the standard error of the mean over data points; `mc_se`, the part of it that more draws would
            take away; `ess`, the mean effective sample size; `khat_over_0.7`, the share of points with a higher k-hat;
            `n`, the number of points; `unavailable`, the number of those left out.
        """
        there = self.available
        value, error = on_host(self.value[there]), on_host(self.standard_error[there])
        khat = self.khat[there]
        known = ~khat.isnan()
        count = len(value)
        return {
            "mean": float(value.mean()),
            "se": float(value.std() / math.sqrt(count)) if count > 1 else math.nan,
            "mc_se": float(error.square().sum().sqrt() / count) if count else math.nan,
            "ess": float(on_host(self.ess[there]).mean()),
            "khat_over_0.7": float(on_host(khat[known] > KHAT_LIMIT).mean()),
            "n": float(count),
            "unavailable": float((~there).sum()),
        }

    def __getitem__(self, points: slice | Tensor) -> Estimate:
        """Return the estimates of some of the points."""
        chosen: dict[str, Any] = {name: getattr(self, name)[points] for name in _PARTS}
        return replace(self, **chosen)

    def __str__(self) -> str:
        s = self.summary()
        text = f"{self.quantity} = {s['mean']:.3f} ± {s['se']:.3f} nats (Monte Carlo ± {s['mc_se']:.3f})"
        share = s["khat_over_0.7"]
        heavy = "too few draws to tell" if math.isnan(share) else f"{share:.1%}"
        return f"{text}, ESS {s['ess']:.0f} of {self.num_samples}, k-hat > 0.7: {heavy}"

    @classmethod
    def cat(cls, estimates: Sequence[Self]) -> Self:
        """Join the estimates of several batches.

        Give every batch a seed of its own (`batch_seed`). Batches that share their draws share their errors, which do
        not average out then: `mc_se` would be too small by up to the square root of the number of batches.

        Raises:
            ValueError: there is none, or they differ in what they estimate or how.
        """
        if not estimates:
            raise ValueError("expected at least one estimate, got none")
        first = estimates[0]
        for other in estimates[1:]:
            if any(getattr(other, name) != getattr(first, name) for name in ("of", "on", "given", "num_samples")):
                raise ValueError(
                    f"expected estimates of {first.quantity} with K = {first.num_samples} given {first.given}, got one "
                    f"of {other.quantity} with K = {other.num_samples} given {other.given}"
                )
        joined: dict[str, Any] = {name: torch.cat([getattr(e, name) for e in estimates]) for name in _PARTS}
        return replace(first, **joined)
