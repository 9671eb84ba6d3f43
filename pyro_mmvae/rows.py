"""Rows of a table as a dimension of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import pyro.distributions as dist
import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.rows import take_rows
from pyro_mmvae.divergences import kl
from pyro_mmvae.shapes import constant
from pyro_mmvae.table import Table


def decoded_together(table: Table) -> dict[tuple[int, ...], list[str]]:
    """Return the targets by the rows that decode them."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in table.targets:
        groups.setdefault(tuple(i for i, term in enumerate(table.terms) if name in term.decode), []).append(name)
    return groups


def spread(log_prob: Tensor, rows: tuple[int, ...], full: torch.Size) -> Tensor:
    """Put the values of some rows into their places among all; zero elsewhere."""
    value = log_prob.expand(*full[:2], len(rows), full[-1])
    if len(rows) == full[-2]:
        return value
    nothing = torch.zeros((), dtype=value.dtype, device=value.device).expand(*full[:2], full[-1])
    places = {row: i for i, row in enumerate(rows)}
    return torch.stack([value.select(-2, places[r]) if r in places else nothing for r in range(full[-2])], dim=-2)


def kl_inner(inner: TorchDistribution, rows: int) -> Tensor:
    """Return the KL of a guide's inner draws to N(0, I), shape `(T, B)`."""
    chosen = take_rows(inner, range(rows))
    standard = dist.Normal(torch.zeros_like(chosen.mean), torch.ones_like(chosen.mean))
    return kl(chosen, standard.to_event(len(chosen.event_shape)), chosen.mean)


def rows_of(value: Tensor, rows: Sequence[int], dim: int) -> Tensor:
    """Return some rows of a tensor, which lie along `dim`."""
    # Stacking views needs no index tensor, hence no copy from the host.
    return torch.stack([value.select(dim, row) for row in rows], dim=dim)


def subset_masks(subsets: list[tuple[str, ...]], batch: Batch) -> dict[str, Tensor]:
    """Return for every modality of the batch which rows look at it, bool `(T, 1)`."""
    # Every modality gets a mask, so that every encoder runs, whatever the rows: distributed training needs it.
    members = [[name in subset for subset in subsets] for name in batch.names]
    masks = constant(members, batch.device, torch.bool)
    return {name: masks[i].unsqueeze(-1) for i, name in enumerate(batch.names)}


def active_rows(subsets: list[tuple[str, ...]], seen: Batch, batch: Batch) -> Tensor:
    """Return whether a subset has anything to show; one that is empty on purpose (the prior) always counts."""
    empty = constant([[not subset] for subset in subsets], batch.device, torch.bool).expand(-1, batch.size)
    anything = empty
    for mask in seen.observed.values():
        anything = anything | mask
    return anything


def strata_weights(posterior: TorchDistribution, components: int, shape: tuple[int, int], like: Tensor) -> Tensor:
    """Return the weights of a posterior's strata, shape `(strata, *shape)`; one of weight one if it is no mixture."""
    if components == 1 or not isinstance(posterior, MixtureSameFamily):
        return torch.ones((1, 1, 1), dtype=like.dtype, device=like.device).expand(1, *shape)
    weights: Tensor = posterior.mixture_distribution.probs.movedim(-1, 0)
    return weights[:, : shape[0]]
