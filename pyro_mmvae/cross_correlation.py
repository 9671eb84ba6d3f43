"""An add-on for any objective: the latents of two rows are made to agree dimension by dimension."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Alignment, Subset


def cross_correlation(first: Tensor, second: Tensor, both: Tensor | None = None) -> Tensor:
    """Return the correlations over a batch of every dimension of one latent with every dimension of another.

    Gupta 2021, section 5.3 and Fig. 6.1-6.2. `plot_cross_correlations` draws it.

    Args:
        first: (B, D) latents of B samples, e.g. the means of one posterior.
        second: (B, E) latents of the same samples.
        both: (B,) bool, the samples that count; all when left out.

    Returns:
        (D, E), from -1 to 1. A dimension that does not vary has correlation zero.

    Raises:
        ValueError: the shapes do not fit, or there are less than two samples.
    """
    if first.dim() != 2 or second.dim() != 2 or len(first) != len(second) or len(first) < 2:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"expected latents (B, D) and (B, E) of the same B > 1 samples, got {shapes}")
    there = torch.ones(len(first), dtype=torch.bool, device=first.device) if both is None else both
    if there.shape != first.shape[:1]:
        raise ValueError(f"expected both of shape {tuple(first.shape[:1])}, got {tuple(there.shape)}")
    return _correlations(first[None], second[None], there[None])[0]


@dataclass(frozen=True)
class CrossCorrelation:
    """|| C - I ||, C the cross-correlation matrix over the batch of the means of two posteriors.

    Gupta 2021, section 5.3, after Zbontar et al. 2021, arXiv:2103.03230. It is a number of the whole batch, and of each
    process alone in distributed training: give it batches that are larger than the latent dimension.

    Args:
        norm: "l1", the sum of absolute differences, which favours sparsity; or "l2", the root of the sum of squares.

    Raises:
        ValueError: an unknown norm.
    """

    norm: Literal["l1", "l2"] = "l1"

    def __post_init__(self) -> None:
        """Refuse an unknown norm."""
        if self.norm not in ("l1", "l2"):
            raise ValueError(f"norm: expected 'l1' or 'l2', got {self.norm!r}")

    @property
    def __name__(self) -> str:
        """Name in printed tables."""
        return f"cross-correlation {self.norm}"

    def __call__(self, q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor) -> Tensor:
        """Return the norm, shape `(*lead, N, B)` and the same for all samples; see `Divergence`."""
        matrix = _correlations(q.mean, p.mean, both)
        gap = matrix - torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
        norm = torch.linalg.vector_norm(gap, ord=1 if self.norm == "l1" else 2, dim=(-2, -1))
        return norm.unsqueeze(-1).expand(*norm.shape, both.shape[-1])


def with_cross_correlation(
    objective: Objective,
    weight: Weight,
    norm: Literal["l1", "l2"] = "l1",
    pairs: Sequence[tuple[Subset, Subset]] | None = None,
) -> Objective:
    """Return the objective plus a weighted penalty on the cross-correlation of pairs of posteriors.

    Args:
        objective: stays as it is.
        weight: of each pair's penalty.
        norm: see `CrossCorrelation`.
        pairs: subsets whose posteriors are compared; every two single inputs when left out.

    Raises:
        ValueError: there are no two inputs to compare.
    """
    table = objective.table
    if pairs is None:
        pairs = [((a,), (b,)) for a, b in combinations(table.inputs, 2)]
    if not pairs:
        raise ValueError(f"cross-correlation compares two posteriors, but the objective infers z from {table.inputs}")
    extra = [Alignment(of, to, weight, CrossCorrelation(norm)) for of, to in pairs]
    added = copy.copy(objective)
    added.table = replace(table, alignments=[*table.alignments, *extra], name=f"{table.name} + cross-correlation")
    return added


@torch.no_grad()
def latent_correlations(guide: Guide, batches: Iterable[Batch]) -> dict[str, Tensor]:
    """Return the cross-correlation matrices of every two inputs' latents, `(D, D)` by `first, second`.

    Args:
        guide: each input's latent is the point (`Guide.point`) of the posterior of this input alone.
        batches: samples; for each pair of inputs those count that have both, and pairs that less than two have are
            left out.
    """
    device = next(guide.parameters()).device
    points: dict[str, list[Tensor]] = {name: [] for name in guide.inputs}
    there: dict[str, list[Tensor]] = {name: [] for name in guide.inputs}
    for batch in batches:
        for name in guide.inputs:
            seen = batch.given([name]).to(device)
            points[name].append(guide.point(seen).cpu())
            there[name].append(seen.observed[name].cpu())
    values, masks = ({n: torch.cat(parts) for n, parts in kind.items()} for kind in (points, there))
    return {
        f"{a}, {b}": cross_correlation(values[a], values[b], masks[a] & masks[b])
        for a, b in combinations(guide.inputs, 2)
        if int((masks[a] & masks[b]).sum()) > 1
    }


def _correlations(first: Tensor, second: Tensor, both: Tensor) -> Tensor:
    """Return the matrices `(*lead, N, D, E)` of values `(*lead, N, B, D)` and `(*lead, N, B, E)`."""
    return torch.einsum("...bd,...be->...de", _standardised(first, both), _standardised(second, both))


def _standardised(value: Tensor, both: Tensor) -> Tensor:
    """Return values `(N, B, D)` with mean zero and sum of squares one over the samples that count, zero elsewhere."""
    there = both.unsqueeze(-1).to(value.dtype)
    centred = (value - (value * there).sum(-2, keepdim=True) / there.sum(-2, keepdim=True).clamp_min(1)) * there
    # The square root has no gradient at zero: a dimension that does not vary stays zero.
    return centred * (centred.square().sum(-2, keepdim=True) + 1e-12).rsqrt()
