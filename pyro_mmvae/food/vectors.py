"""Recipes as feature vectors of their pictures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.food.dataset import IMAGE, Food, FoodBatch


class Range(NamedTuple):
    """Least and greatest value of every feature, shapes `(F,)`."""

    low: Tensor
    high: Tensor

    def scaled(self, vectors: Tensor) -> Tensor:
        """Return features so that this range becomes [0, 1]; those that are constant are zero."""
        width = self.high - self.low
        return torch.where(width > 0, (vectors - self.low) / torch.where(width > 0, width, 1.0), 0.0)


class FoodVectors:
    """Recipes of a set with what a frozen network makes of their pictures in the place of the pictures.

    CADA-VAE (Schonfeld et al. 2019, arXiv:1812.01784) works so, and "Cross-modal Variational Alignment of Latent
    Spaces" (section 4.1.3) with it. As in its authors' code every feature is scaled to [0, 1] by the training samples.
    Vectors are made once, of every recipe's first picture, cut from the centre, and kept.

    Args:
        food: not augmented. Recipes whose picture cannot be read are left out now.
        encoder: from pictures `(B, 3, S, S)` to features `(B, F)`; put into evaluation mode.
        range: of the training samples; their own if left out.
        batch_size: pictures at a time.

    Attributes:
        vectors: of all recipes, shape `(N, F)`.
        range: as given, or their own.
        skipped: number of recipes that are left out.
    """

    def __init__(self, food: Food, encoder: nn.Module, range: Range | None = None, batch_size: int = 64) -> None:
        self.food = food
        vectors, rows = _made(food, encoder, batch_size)
        self.skipped = len(food) - len(rows)
        self.rows = rows.numpy()
        self.range = Range(vectors.amin(0), vectors.amax(0)) if range is None else range
        self.vectors = self.range.scaled(vectors)
        self._place = torch.isin(torch.as_tensor(food.rows), rows).nonzero().flatten()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def without_ingredients(self) -> int:
        """Number of recipes that are left out, as the vocabulary has none of their ingredients."""
        return self.food.without_ingredients

    def batch(self, draws: Draws) -> FoodBatch:
        """Return some recipes: "image" is `(B, F)`."""
        rows = torch.as_tensor(self.rows)[draws.rows]
        seen = torch.ones(len(rows), dtype=torch.bool)
        data = {IMAGE: self.vectors[draws.rows], **self.food.labels(rows.tolist())}
        return FoodBatch(Batch(data, dict.fromkeys(data, seen)), rows)

    def pictures(self, draws: Draws) -> FoodBatch:
        """Return the same recipes with their pictures."""
        return self.food.batch(draws._replace(rows=self._place[draws.rows]))

    def targets(self, rows: NDArray[np.int64] | None = None) -> Tensor:
        """Return the ingredients of recipes, all of this set by default, zeros and ones, shape `(N, C)`."""
        return self.food.targets(self.rows if rows is None else rows)


@torch.no_grad()
def _made(food: Food, encoder: nn.Module, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return features and the rows that they are of."""
    like = next(encoder.parameters())
    encoder.eval()
    found, rows = [], []
    for chosen in torch.arange(len(food)).split(batch_size):
        made = food.batch(Draws(chosen))
        if made.batch.size:
            found.append(encoder(made.batch.data[IMAGE].to(like)).to("cpu", torch.float32))
            rows.append(made.rows)
    if not found:
        raise ValueError(f"none of the pictures of {len(food)} recipes can be read")
    return torch.cat(found), torch.cat(rows)
