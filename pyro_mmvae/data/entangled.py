"""Pairs that vary together, from conditional decoders of two uni-modal sets (Korthals et al. 2019, section 1.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch

Decoder = Callable[[Tensor, Tensor], Tensor]
"""Returns the probability of 1 of every value, shape `(N, *event)`, for latent vectors `(N, D)` and classes `(N,)`."""
WITHIN = 2.0
"""Latent vectors are drawn from the prior within so many standard deviations."""
CHUNK = 1000
"""Pairs that are decoded at a time."""


class Pairs(NamedTuple):
    """Pairs of images, and what they were made from."""

    a: Tensor
    """Shape `(N, *event)`."""
    b: Tensor
    """Shape `(N, *event)`."""
    label: Tensor
    """Class, int64 `(N,)`, the same for both images."""
    z_a: Tensor
    """Latent vector of the first image, shape `(N, D)`."""
    z_b: Tensor
    """Latent vector of the second one; the same in an entangled pair."""

    def as_batch(self) -> Batch:
        """Return the images as a batch of `a` and `b`."""
        return Batch.of({"a": self.a, "b": self.b})


@torch.no_grad()
def entangled(
    first: Decoder, second: Decoder, *, latent_dim: int, classes: int, num_samples: int, seed: int, grey: bool = False
) -> Pairs:
    """Draw a latent vector from N(0, I) and a class, and decode them by both decoders.

    Values are drawn from the decoded probabilities, so that a Bernoulli probability of them is a likelihood.

    Args:
        first: decoder of modality a.
        second: of modality b.
        latent_dim: D.
        classes: number of classes.
        num_samples: N.
        seed: of the draws.
        grey: keep the probabilities themselves as grey values, of which there is no likelihood.
    """
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (num_samples,), generator=generator)
    inside = torch.special.ndtr(torch.tensor(WITHIN))
    uniform = torch.rand(num_samples, latent_dim, generator=generator)
    z = torch.special.ndtri((1 - inside) + (2 * inside - 1) * uniform)
    parts = list(zip(z.split(CHUNK), label.split(CHUNK), strict=True))
    a, b = (torch.cat([decode(*part) for part in parts]) for decode in (first, second))
    if not grey:
        a, b = (torch.bernoulli(probability, generator=generator) for probability in (a, b))
    return Pairs(a, b, label, z, z)


def mixed(pairs: Pairs, seed: int) -> Pairs:
    """Return the pairs with the second image swapped within each class: the class is all that the two share."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(len(pairs.label))
    for label in range(int(pairs.label.max()) + 1):
        rows = (pairs.label == label).nonzero().flatten()
        order[rows] = rows[torch.randperm(len(rows), generator=generator)]
    return pairs._replace(b=pairs.b[order], z_b=pairs.z_b[order])
