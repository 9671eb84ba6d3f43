"""A set of two modalities, each a mixture of Gaussians, whose classes coincide in one or the other."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.samples import InMemory

MEANS = ((0, 0), (0, 1), (1, 1), (2, 1), (2, 2))
"""Classes, as places of their means in modality a and in modality b. Classes 0 and 1 look alike in a, so do 3 and 4;
classes 1, 2 and 3 look alike in b. Only both together tell all five."""
PLACES = 3
RADIUS = 1.0
SCALE = 0.15


class GaussianMixture(NamedTuple):
    """Draws of the set.

    Korthals et al. 2019 train on a set of this kind; their means are not published, these are ours.
    """

    a: Tensor
    """Shape `(N, 2)`."""
    b: Tensor
    """Shape `(N, 2)`."""
    label: Tensor
    """Class, int64 `(N,)`."""

    def samples(self) -> InMemory:
        """Return a data set of both modalities."""
        return InMemory(Batch.of({"a": self.a, "b": self.b}))


def places() -> Tensor:
    """Return the means that occur in either modality, on a circle, shape `(3, 2)`."""
    angle = torch.arange(PLACES) * (2 * math.pi / PLACES) + math.pi / 2
    return RADIUS * torch.stack([angle.cos(), angle.sin()], dim=-1)


def sample(num_samples: int, seed: int = 0) -> GaussianMixture:
    """Draw classes uniformly, and both modalities around their means with standard deviation 0.15."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(len(MEANS), (num_samples,), generator=generator)
    means = places()[torch.tensor(MEANS)][label]  # (N, 2 modalities, 2)
    values = means + SCALE * torch.randn(means.shape, generator=generator)
    return GaussianMixture(values[:, 0], values[:, 1], label)


def log_prob(a: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    """Return the exact log density of what is given, log p(a, b), log p(a) or log p(b), shape `(N,)`.

    Raises:
        ValueError: nothing is given.
    """
    given = [(value, index) for index, value in enumerate((a, b)) if value is not None]
    if not given:
        raise ValueError("expected values of a, of b or of both, got none")
    means = places()[torch.tensor(MEANS)]
    total = torch.zeros(len(given[0][0]), len(MEANS), dtype=given[0][0].dtype)
    for value, index in given:
        normal = torch.distributions.Normal(means[:, index], SCALE)
        total = total + normal.log_prob(value.unsqueeze(1)).sum(-1)
    return total.logsumexp(-1) - math.log(len(MEANS))
