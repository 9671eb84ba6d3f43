"""Small building blocks of the contract tests."""

from __future__ import annotations

import copy
import math
from itertools import combinations

import pytest
import torch
from torch import nn

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE, Objective, Table, guides, objectives
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.requirements import Requirement

SIZES = {"a": 3, "b": 2, "c": 4}
LATENT = 2
TARGETS = {"a": 1.0, "b": 0.5, "y": 2.0}


def modalities(names: tuple[str, ...] = ("a", "b", "c")) -> list[Modality]:
    """Return encoded modalities of distinct sizes, and one, "y", that is only predicted."""
    seen = [
        Modality(n, Normal((SIZES[n],), scale=0.5), nn.Linear(LATENT, SIZES[n]), nn.Linear(SIZES[n], 5)) for n in names
    ]
    return [*seen, Modality("y", Normal((2,), scale=0.5), nn.Linear(LATENT, 2))]


def data(size: int = 6, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Return complete random data for `modalities`."""
    generator = torch.Generator().manual_seed(5)
    sizes = {**SIZES, "y": 2}
    return {n: torch.randn(size, k, generator=generator).to(dtype) for n, k in sizes.items()}


def pair(guide_name: str, **options) -> tuple[MultimodalVAE, Guide]:
    """Return a model and a guide over the same modalities."""
    parts = modalities()
    return MultimodalVAE(parts, LATENT), guides.load(guide_name)(parts, LATENT, **options)


def build(objective_name: str, guide: Guide, **options) -> Objective:
    """Return an objective over all that the guide can see."""
    return objectives.load(objective_name)(guide.inputs, TARGETS, **options)


def with_table(objective: Objective, table: Table) -> Objective:
    """Return the same objective over another table, which need not have what the bound requires of its own."""
    other = copy.copy(objective)
    other.table, other.requires = table, ()
    return other


def six_modalities(size: int = 5) -> tuple[list[Modality], Batch]:
    """Return six modalities, each with encoder and decoder, and data of which every sample lacks some."""
    names = tuple("abcdef")
    parts = [Modality(n, Normal((2,), scale=0.5), nn.Linear(LATENT, 2), nn.Linear(2, 3)) for n in names]
    generator = torch.Generator().manual_seed(2)
    observed = {n: torch.rand(size, generator=generator) > 0.3 for n in names}
    return parts, Batch.of({n: torch.randn(size, 2, generator=generator) for n in names}, observed)


def unmet(objective: Objective, model: MultimodalVAE, guide: Guide) -> list[Requirement]:
    """Return what an objective, a guide and a prior declare that they require, and lack together."""
    declared = [*objective.requirements, *guide.requires, *model.prior.requires]
    return [r for r in declared if not r.met(model, guide, objective.table)]


def compatible_pairs() -> list[tuple[str, str]]:
    """Return every (guide, objective) that can work together by what they declare."""
    everything = [(g, o) for g in guides.available() for o in objectives.available()]
    return [(g, o) for g, o in everything if not unmet(build(o, pair(g)[1]), *pair(g))]


def every_subset(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return all subsets, the empty one included."""
    return [s for size in range(len(names) + 1) for s in combinations(names, size)]


def with_pattern(batch: Batch) -> Batch:
    """Return the batch with modalities missing per sample in every combination of the first two."""
    rows = torch.arange(batch.size)
    masks = {"a": rows % 2 == 0, "b": rows % 3 == 0}
    return Batch.of(batch.data, {n: masks[n] for n in batch.names if n in masks})


def wrong_pair(
    truth: LinearGaussian, name: str = "poe", shift: float = 1.5, scale: float = 0.5
) -> tuple[MultimodalVAE, Guide]:
    """Return the model, and a guide that is wrong on purpose, by so many deviations and in scale."""
    guide = guides.load(name)(truth.modalities(), truth.latent_dim).double()
    truth.set_exact_experts(guide)
    with torch.no_grad():
        for head in guide.heads.values():
            head.linear.bias[: truth.latent_dim] += shift * 0.3
            head.linear.bias[truth.latent_dim :] += math.log(scale)
    return truth.model(), guide


class common_noise:
    """The same standard normal draw for every row, sample and particle, so that layouts can be compared."""

    def __enter__(self):
        self.patch = pytest.MonkeyPatch()
        fixed = torch.randn(64, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

        def standard_normal(shape, dtype, device):
            return fixed[: shape[-1]].to(dtype=dtype, device=device).expand(shape)

        self.patch.setattr("torch.distributions.normal._standard_normal", standard_normal)

    def __exit__(self, *_):
        self.patch.undo()
