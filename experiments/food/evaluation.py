"""What every branch of a trained run makes of pictures and ingredients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae import Batch, Guide, Loss, MultimodalVAE
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.food.config import CLASSIFIED
from pyro_mmvae.experiments.food.data import FoodData
from pyro_mmvae.feed_forward import FeedForward
from pyro_mmvae.food.dataset import IMAGE, INGREDIENTS
from pyro_mmvae.food.metrics import (
    IngredientMetrics,
    choose_threshold,
    f1_by_ingredient,
    ingredient_metrics,
    most_frequent,
)

UPPER, LOWER, MAPPED = "upper", "lower", "mapper"
FEED_FORWARD, CLASSIFIER = "feed_forward", "classifier"
MAPPED_RECIPES = 400
NEIGHBOURS = 10
Branch = Callable[[Batch], Tensor]
"""From a batch to the point that is decoded, `(B, D)`."""


class Part(NamedTuple):
    """What can be judged: the point of a branch, and what decodes it."""

    model: MultimodalVAE
    point: Branch
    target: str = INGREDIENTS

    def predict(self, batch: Batch) -> Tensor:
        """Return the predicted probabilities, shape `(B, C)`."""
        return self.model.predict(self.point(batch), self.target)


def branches(loss: Loss) -> dict[str, Part]:
    """Return what can be judged: branches, or the inputs of other guides, and a classifier on the latent."""
    model, guide = loss.model, loss.guide
    found = {name: Part(model, _point(guide, name)) for name in (IMAGE, INGREDIENTS) if name in guide.inputs}
    if CLASSIFIED in model.names:
        found = {CLASSIFIER: Part(model, _point(guide, IMAGE), CLASSIFIED), **found}
    if isinstance(guide, FeedForward):
        return {FEED_FORWARD: found[IMAGE]}
    if UPPER not in model.branches:
        return found
    above = model.branches[UPPER]
    assert isinstance(above, MultimodalVAE)
    return {
        UPPER: Part(above, _point(guide.branches[UPPER], IMAGE)),
        LOWER: found[INGREDIENTS],
        MAPPED: found[IMAGE],
    }


def _point(guide: Guide, name: str) -> Branch:
    return lambda batch: guide.point(batch.given([name]))


@torch.no_grad()
def probabilities(loss: Loss, batches: Iterable[Batch]) -> tuple[dict[str, Tensor], Tensor]:
    """Return the predicted probabilities of every branch, shapes `(N, C)`, and the true ingredients."""
    parts, device = branches(loss), next(loss.parameters()).device
    found: dict[str, list[Tensor]] = {name: [] for name in parts}
    true = []
    for batch in batches:
        seen = batch.to(device)
        true.append(batch.data[INGREDIENTS])
        for name, part in parts.items():
            found[name].append(part.predict(seen).cpu())
    return {name: torch.cat(values) for name, values in found.items()}, torch.cat(true)


class Judged:
    """Predictions of a run, with thresholds chosen on held-out recipes.

    Args:
        loss: in evaluation mode.
        data: of the run.
        copies: augmented ones for a second result of what looks at pictures; 0: none.
    """

    def __init__(self, loss: Loss, data: FoodData, copies: int) -> None:
        self.names = data.recipes.vocabulary.names
        held_out, held_true = probabilities(loss, _batches(data, data.held_out))
        self.found, self.true = probabilities(loss, _batches(data, data.samples))
        self.thresholds = {name: choose_threshold(value, held_true) for name, value in held_out.items()}
        self.scores = {n: ingredient_metrics(v, self.true, self.thresholds[n]) for n, v in self.found.items()}
        # Predictions from the picture alone: those from ingredients do not change.
        pictured = [name for name in self.found if name not in (LOWER, INGREDIENTS)]
        self.tta = self._with_copies(loss, data, copies, pictured) if copies else {}
        self.training_targets = data.training_targets()
        always = most_frequent(self.training_targets)
        self.always = ingredient_metrics(always.expand_as(self.true), self.true, 0.5)
        self.always_names = [self.names[i] for i in always.nonzero().flatten().tolist()]

    def _with_copies(self, loss: Loss, data: FoodData, copies: int, names: list[str]) -> dict[str, IngredientMetrics]:
        total = {name: self.found[name].clone() for name in names}
        for epoch in range(copies):
            found, _ = probabilities(loss, _batches(data, data.varied, epoch))
            for name in names:
                total[name] += found[name]
        mean = {name: value / (copies + 1) for name, value in total.items()}
        return {n: ingredient_metrics(v, self.true, self.thresholds[n]) for n, v in mean.items()}

    def by_frequency(self, groups: int = 4) -> dict[str, Any]:
        """Return F1 by ingredient, averaged over groups of equally many ingredients, frequent ones first."""
        frequency = self.training_targets.mean(0)
        order = frequency.argsort(descending=True, stable=True)
        scores = {n: f1_by_ingredient(v, self.true, self.thresholds[n]) for n, v in self.found.items()}
        parts = [part for part in np.array_split(order.numpy(), groups) if len(part)]
        return {
            "share": [float(frequency[part].mean()) for part in parts],
            "f1": {n: [float(score[part].nanmean()) for part in parts] for n, score in scores.items()},
        }

    def metrics(self) -> dict[str, Any]:
        """Return what `metrics.json` has of it."""
        return {
            "branches": {n: {**s.to_dict(), "threshold": self.thresholds[n]} for n, s in self.scores.items()},
            "tta": {name: scores.to_dict() for name, scores in self.tta.items()},
            "baseline": {"most_frequent": {**self.always.to_dict(), "ingredients": self.always_names}},
            "f1_by_frequency": self.by_frequency(),
        }

    def report(self) -> str:
        """Return the same for people."""
        head = f"{'':<22}{'F1':>8}{'IoU':>8}{'global F1':>11}{'global IoU':>12}{'threshold':>11}"
        rows = [_row("most frequent", self.always, "")]
        rows += [_row(name, scores, self.thresholds[name]) for name, scores in self.scores.items()]
        rows += [_row(f"{name}, TTA", scores, self.thresholds[name]) for name, scores in self.tta.items()]
        return "\n".join([head, *rows])


def _row(name: str, s: IngredientMetrics, threshold: float | str) -> str:
    return f"{name:<22}{s.f1:>8.2%}{s.iou:>8.2%}{s.f1_global:>11.2%}{s.iou_global:>12.2%}{threshold!s:>11}"


def _batches(data: FoodData, samples: Any, epoch: int = 0) -> Iterable[Batch]:
    size = data.config.batch_size
    for rows in torch.arange(len(samples)).split(size):
        if (batch := samples.batch(Draws(rows, epoch)).batch).size:
            yield batch


@torch.no_grad()
def latent_points(loss: Loss, batches: Iterable[Batch]) -> dict[str, np.ndarray]:
    """Return the points of every branch that lie in spaces of one size; a classifier's are those of the picture."""
    parts, device = branches(loss), next(loss.parameters()).device
    seen = [batch.to(device) for batch in batches]
    points = {n: torch.cat([p.point(b).cpu() for b in seen]).numpy() for n, p in parts.items() if n != CLASSIFIER}
    return {n: value for n, value in points.items() if value.shape[1] == loss.guide.latent_dim}


def closeness(points: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return how near the points of pictures lie to those of the same recipes' ingredients.

    `distance` is their mean distance; `neighbours` the share of the ten recipes whose ingredients are nearest to a
    picture's point that are also nearest to the point of its own ingredients; `own` how often the nearest ingredients
    are its own.
    """
    name = LOWER if LOWER in points else INGREDIENTS
    if name not in points:
        return {}
    target = torch.from_numpy(points[name])
    many = min(NEIGHBOURS, len(target) - 1)
    nearest = torch.cdist(target, target).topk(many, largest=False).indices
    found = {}
    for other, value in points.items():
        if other != name:
            distance = torch.cdist(torch.from_numpy(value), target)
            near = distance.topk(many, largest=False).indices
            shared = (near[:, :, None] == nearest[:, None, :]).any(-1).float().mean()
            own = (distance.argmin(1) == torch.arange(len(target))).float().mean()
            found[other] = {
                "distance": float(distance.diagonal().mean()),
                "neighbours": float(shared),
                "own": float(own),
            }
    return found
