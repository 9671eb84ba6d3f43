"""How well lists of ingredients are predicted: F1 and IoU, by recipe, over all, and by ingredient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 48))
"""Probabilities from which an ingredient may count as predicted."""


@dataclass(frozen=True)
class IngredientMetrics:
    """Agreement of predicted and true lists of ingredients, from 0 to 1.

    Attributes:
        f1: F1 of each recipe, averaged over recipes; 0 where nothing is predicted.
        iou: intersection over union, likewise.
        f1_global: F1 of true and false positives of all recipes together.
        iou_global: F/(2 - F) of that.
        precision: of all recipes together.
        recall: likewise.
        predicted: mean number of predicted ingredients.
    """

    f1: float
    iou: float
    f1_global: float
    iou_global: float
    precision: float
    recall: float
    predicted: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def ingredient_metrics(probability: Tensor, true: Tensor, threshold: float) -> IngredientMetrics:
    """Return F1 and IoU of predicted ingredients.

    "Cross-modal Variational Alignment of Latent Spaces" (section 4.1.2) averages over recipes for Yummly-28K, and takes
    the global ones for Recipe1M, as Salvador et al. (2019, arXiv:1812.06164) do.

    Args:
        probability: of each ingredient, shape `(N, C)`.
        true: zeros and ones of the same shape.
        threshold: an ingredient counts as predicted if its probability is above that.

    Raises:
        ValueError: the shapes differ, or there is no recipe.
    """
    _check(probability, true)
    f1, iou = recipe_scores(probability, true, threshold)
    hit, said, there = (value.sum() for value in _counts(probability, true, threshold))
    return IngredientMetrics(
        float(f1.mean()),
        float(iou.mean()),
        float(2 * hit / (said + there).clamp_min(1)),
        float(hit / (said + there - hit).clamp_min(1)),
        float(hit / said.clamp_min(1)),
        float(hit / there.clamp_min(1)),
        float(said / len(true)),
    )


def recipe_scores(probability: Tensor, true: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return F1 and IoU of each recipe, shapes `(N,)` in float64; 1 where nothing is there and nothing predicted."""
    hit, said, there = _counts(probability, true, threshold)
    nothing = said + there == 0
    f1, iou = 2 * hit / (said + there).clamp_min(1), hit / (said + there - hit).clamp_min(1)
    return torch.where(nothing, 1.0, f1), torch.where(nothing, 1.0, iou)


def choose_threshold(probability: Tensor, true: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return the threshold with the best F1 per recipe; for held-out samples, never those of the results.

    Args:
        probability: shape `(N, C)`.
        true: likewise.
        thresholds: to choose from; of equal ones the first.
    """
    _check(probability, true)
    scores = [float(recipe_scores(probability, true, threshold)[0].mean()) for threshold in thresholds]
    return thresholds[scores.index(max(scores))]


def f1_by_ingredient(probability: Tensor, true: Tensor, threshold: float) -> Tensor:
    """Return F1 of each ingredient over all recipes, shape `(C,)`; NaN where it is neither true nor predicted."""
    _check(probability, true)
    predicted, there = (probability > threshold).double(), true.double()
    return 2 * (predicted * there).sum(0) / (predicted + there).sum(0)


def most_frequent(true: Tensor, count: int | None = None) -> Tensor:
    """Return a prediction that is always the same: the most frequent ingredients, shape `(C,)`, zeros and ones.

    Args:
        true: of training recipes, shape `(N, C)`.
        count: how many; None: as many as give the best F1 per recipe on these recipes.
    """
    order = true.sum(0).argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order))
    if count is None:
        # F1 of the first k: 2 hits / (k + number there), for every k at once.
        hits, lengths = true.double()[:, order].cumsum(1), true.double().sum(1, keepdim=True)
        sizes = torch.arange(1, true.shape[1] + 1)
        count = int((2 * hits / (sizes + lengths)).mean(0).argmax()) + 1
    return (ranks < count).to(true.dtype)


def _counts(probability: Tensor, true: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return numbers of ingredients that are both, predicted, and there, of each recipe."""
    predicted, there = probability > threshold, true > 0.5
    return (predicted & there).sum(1).double(), predicted.sum(1).double(), there.sum(1).double()


def _check(probability: Tensor, true: Tensor) -> None:
    if probability.shape != true.shape or true.dim() != 2 or not len(true):
        shapes = f"{tuple(probability.shape)} and {tuple(true.shape)}"
        raise ValueError(f"expected probability and true of one shape (N, C) with N > 0, got {shapes}")
