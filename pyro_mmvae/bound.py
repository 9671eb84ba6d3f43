"""One evaluation of an objective, part by part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from pyro_mmvae.schedules import Weight, weight_at
from pyro_mmvae.shapes import constant
from pyro_mmvae.table import Table, Term


@dataclass(frozen=True)
class Bound:
    """The value of an objective on a batch, and the parts it is made of.

    Args:
        table: the objective's table.
        step: training step at which schedules are read.
        log_prob: log p(x_m | z) by target, shape `(K, C, T, B)`, zero where missing and in rows that do not decode it.
        kl: KL to the prior, analytic or sampled, shape `(K, C, T, B)`.
        alignments: divergences, zero where either posterior has nothing to look at, and a bool mask of where both
            have; shapes `(B,)`.
        strata: probability of every mixture component, shape `(C, T, B)`.
        observed: whether a target is there, bool `(B,)` each.
        active: whether a row has anything to look at, bool `(T, B)`.
        importance_weighted: see `Objective`; so for the other two.
        kl_inner: KL of the guide's inner draws to N(0, I), shape `(K, C, T, B)`; None if no row pays it.
        branches: the bounds of branches, which are added, by name.
    """

    table: Table
    step: int
    log_prob: Mapping[str, Tensor]
    kl: Tensor
    alignments: list[tuple[Tensor, Tensor]]
    strata: Tensor
    observed: Mapping[str, Tensor]
    active: Tensor
    importance_weighted: bool = False
    pooled_strata: bool = False
    doubly_reparameterised: bool = False
    kl_inner: Tensor | None = None
    branches: Mapping[str, Bound] = field(default_factory=dict)

    @property
    def rows(self) -> Tensor:
        """The bound of every row and sample, shape `(T, B)`, before the rows' own weights."""
        if not self.importance_weighted:
            return self._over_strata(self.log_weights.mean(0))
        total, draws = self.log_weights, self.kl.shape[0]
        if self.pooled_strata:
            bound = self._pooled(total).logsumexp((0, 1)) - math.log(draws)
            return self._doubly_reparameterised(bound, (self.importance * total).sum((0, 1)))
        bound = total.logsumexp(0) - math.log(draws)
        return self._over_strata(self._doubly_reparameterised(bound, (self.importance * total).sum(0)))

    def _doubly_reparameterised(self, bound: Tensor, weighted: Tensor) -> Tensor:
        # The value is the bound; the gradient is that of the sum of log weights by constant weights.
        return weighted + (bound - weighted).detach() if self.doubly_reparameterised else bound

    @cached_property
    def log_weights(self) -> Tensor:
        """Weighted log p(x | z) - kl of every draw, shape `(K, C, T, B)`; log p(x, z) - log q(z) with weights one."""
        total = -self._per_row([t.kl for t in self.table.terms]) * self.kl
        if self.kl_inner is not None:
            total = total - self._per_row([t.kl_inner for t in self.table.terms]) * self.kl_inner
        for name, value in self.log_prob.items():
            total = total + self._per_row([t.decode.get(name, 0.0) for t in self.table.terms]) * value
        return total

    @cached_property
    def importance(self) -> Tensor:
        """Normalised importance weights without gradient, shape `(K, C, T, B)`.

        They sum to one over the draws, or over draws and strata where those are pooled.
        """
        weights = self.log_weights.detach()
        if self.pooled_strata:
            return self._pooled(weights).detach().flatten(0, 1).softmax(0).reshape(weights.shape)
        return weights.softmax(0)

    def _pooled(self, log_weights: Tensor) -> Tensor:
        # A stratum of probability zero is out, and the logarithm is kept away from it: its gradient would be NaN.
        inside = self.strata > 0
        return torch.where(inside, log_weights + torch.where(inside, self.strata, 1.0).log(), -torch.inf)

    def of_samples(self, rows: slice) -> Bound:
        """Return the bound of some of the samples."""
        return replace(
            self,
            log_prob={name: value[..., rows] for name, value in self.log_prob.items()},
            kl=self.kl[..., rows],
            alignments=[(value[rows], both[rows]) for value, both in self.alignments],
            strata=self.strata[..., rows],
            observed={name: mask[rows] for name, mask in self.observed.items()},
            active=self.active[..., rows],
            kl_inner=None if self.kl_inner is None else self.kl_inner[..., rows],
            branches={name: bound.of_samples(rows) for name, bound in self.branches.items()},
        )

    @property
    def per_sample(self) -> Tensor:
        """The whole bound of every sample in nats, branches included, shape `(B,)`."""
        rows = torch.where(self.active, self.rows, 0.0)
        bound = (self._per_row([t.weight for t in self.table.terms]) * rows).sum(0)
        for alignment, (value, _) in zip(self.table.alignments, self.alignments, strict=True):
            bound = bound - weight_at(alignment.weight, self.step) * value
        for branch in self.branches.values():
            bound = bound + branch.per_sample
        return bound

    @property
    def loss(self) -> Tensor:
        """Minus the bound, averaged over the batch; a scalar, zero for an empty batch."""
        # A batch without samples contributes nothing.
        return -self.per_sample.sum() / max(self.active.shape[-1], 1)

    def parts(self) -> dict[str, Tensor]:
        """Return every part unweighted, in nats and averaged over the samples that have it; scalars by name.

        Names are `log_prob/TARGET|GIVEN`, `kl|GIVEN`, `kl_inner|GIVEN` and `alignment/OF|TO`; those of a branch begin
        with its name, `BRANCH/kl|GIVEN`.
        """
        return {name: total / count.clamp_min(1) for name, (total, count) in self.totals().items()}

    def totals(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Return sum and number of samples of every part, for means over several batches; see `parts`."""
        found: dict[str, tuple[Tensor, Tensor]] = {}
        for name, value in self.log_prob.items():
            for term, *total in self._by_term(self.active & self.observed[name], value):
                if name in term.decode:
                    found[f"log_prob/{name}|{'+'.join(term.given)}"] = (total[0], total[1])
        for term, *total in self._by_term(self.active, self.kl):
            found[f"kl|{'+'.join(term.given)}"] = (total[0], total[1])
        if self.kl_inner is not None:
            for term, *total in self._by_term(self.active, self.kl_inner):
                found[f"kl_inner|{'+'.join(term.given)}"] = (total[0], total[1])
        for alignment, (value, both) in zip(self.table.alignments, self.alignments, strict=True):
            found[f"alignment/{'+'.join(alignment.of)}|{'+'.join(alignment.to)}"] = (value.sum().detach(), both.sum())
        for branch, bound in self.branches.items():
            found |= {f"{branch}/{name}": total for name, total in bound.totals().items()}
        return found

    def _by_term(self, mask: Tensor, value: Tensor) -> list[tuple[Term, Tensor, Tensor]]:
        values = torch.where(mask, self._over_strata(value.mean(0)), 0.0).detach()
        return list(zip(self.table.terms, values.sum(-1), mask.sum(-1), strict=True))

    def _per_row(self, weights: Sequence[Weight]) -> Tensor:
        values = [weight_at(weight, self.step) for weight in weights]
        return constant(values, self.kl.device, self.kl.dtype).unsqueeze(-1)

    def _over_strata(self, value: Tensor) -> Tensor:
        return (self.strata * value).sum(0)
