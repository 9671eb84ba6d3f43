"""What every posterior of a trained guide makes of surgical views, clean ones and under rising noise."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.data.sensor_noise import SENSORS
from pyro_mmvae.metrics import ExpertWeights, Means
from pyro_mmvae.objective import Loss
from pyro_mmvae.pointclouds import chamfer_distance
from pyro_mmvae.predictions import points, predictions, seen_by, singles_and_joint
from pyro_mmvae.surgical.dataset import CLOUD, SEGMENTATION, ViewBatch
from pyro_mmvae.surgical.scores import Averaged, Counting, baselines, confusion_of, score

SHOWN = 6
"""Views that are kept whole for figures."""
Batches = Callable[[Mapping[str, float]], Iterable[ViewBatch]]
"""Judged samples, all of them under noise of a level by sensor."""


class Judged:
    """What a trained model does on views, gathered batch by batch.

    Args:
        loss: model, guide and objective, in evaluation mode on the device to compute on.
        counting: rule of the scores, see `score`.
        averaged: classes that they are over.

    Attributes:
        elbo: parts of the objective in nats.
        trust: `weights` and `influence` of each input in the joint posterior, for guides that have such.
        skipped: views left out, by reason.
        shown: the first batch.
    """

    def __init__(self, loss: Loss, counting: Counting = "summed", averaged: Averaged = "organs") -> None:
        self.loss, self.counting, self.averaged = loss, counting, averaged
        self.device, self.subsets = next(loss.parameters()).device, singles_and_joint(loss.guide)
        self.elbo, self._chamfer = Means(), Means()
        self.trust = {"weights": ExpertWeights("weights"), "influence": ExpertWeights("influence")}
        self._confusion: dict[str, list[Tensor]] = defaultdict(list)
        self._true: list[Tensor] = []
        self.skipped: Counter[str] = Counter()
        self.shown: ViewBatch | None = None

    @torch.no_grad()
    def add(self, item: ViewBatch, bound: bool = True) -> None:
        """Take a batch; its bound only if asked for."""
        self.skipped.update(reason for _, reason in item.skipped)
        if item.batch.size == 0:
            return
        self.shown = self.shown or item
        batch, guide = item.batch.to(self.device), self.loss.guide
        if bound:
            found = self.loss.bound(batch)
            self.elbo.add({"bound": (found.per_sample.sum(), torch.tensor(batch.size)), **found.totals()})
        for trust in self.trust.values():
            trust.add(guide, batch, item.corrupted)
        self._true.append(item.batch.data[SEGMENTATION])
        targets = [name for name in (SEGMENTATION, CLOUD) if name in self.loss.model.names]
        decoded = predictions(self.loss.model, points(guide, batch, self.subsets), list(self.subsets), targets)
        for name, made in decoded.items():
            seen = seen_by(batch, self.subsets[name])
            right, true = made[SEGMENTATION][seen].cpu(), batch.data[SEGMENTATION][seen].cpu()
            self._confusion[name].append(confusion_of(right, true))
            if CLOUD in made:
                both = seen & batch.observed[CLOUD]
                distance = chamfer_distance(made[CLOUD][both], batch.data[CLOUD][both])
                self._chamfer.add({name: (distance.sum(), both.sum())})

    @property
    def size(self) -> int:
        """Number of judged views."""
        return sum(len(true) for true in self._true)

    def scores(self) -> dict[str, dict[str, Any]]:
        """Return IoU and F1 by posterior, of the views in which it has anything to look at, if there are any."""
        counts = {name: torch.cat(parts) for name, parts in self._confusion.items()}
        return {n: score(count, self.counting, self.averaged) for n, count in counts.items() if len(count)}

    def baseline(self, counts: Tensor) -> dict[str, dict[str, Any]]:
        """Return IoU and F1 of predictions that look at nothing; for `counts` see `baselines`."""
        true = torch.cat(self._true)
        return {n: score(confusion_of(p, true), self.counting, self.averaged) for n, p in baselines(counts).items()}

    def metrics(self, counts: Tensor) -> dict[str, Any]:
        """Return the part of `metrics.json` that is of these views."""
        posteriors, distances = self.scores(), self._chamfer.mean()
        for name, found in posteriors.items():
            if name in distances:
                found["chamfer"] = distances[name]
        return {
            "posteriors": posteriors,
            "baseline": self.baseline(counts),
            **{word: means for word, trust in self.trust.items() if (means := trust.mean())},
            "elbo": self.elbo.mean(),
            "samples": {"used": self.size, "skipped": dict(self.skipped)},
        }

    def segmentations(self, item: ViewBatch) -> dict[str, Tensor]:
        """Return what every posterior predicts of some views, (B, M, M)."""
        return {name: found[SEGMENTATION] for name, found in self.decoded(item, [SEGMENTATION]).items()}

    def decoded(self, item: ViewBatch, targets: Sequence[str]) -> dict[str, dict[str, Tensor]]:
        """Return what every posterior predicts of some views, by posterior and modality."""
        z = points(self.loss.guide, item.batch.to(self.device), self.subsets)
        made = predictions(self.loss.model, z, list(self.subsets), targets)
        return {name: {target: value.cpu() for target, value in found.items()} for name, found in made.items()}


def judge(loss: Loss, batches: Iterable[ViewBatch], seed: int, **options: Any) -> Judged:
    """Run every posterior of the guide on views.

    The objective's draws are seeded, so that the same checkpoint gives the same numbers; its schedules are at their
    end.

    Args:
        loss: see `Judged`.
        batches: the views.
        seed: of the draws.
        options: further arguments of `Judged`.

    Raises:
        ValueError: not one view could be used.
    """
    torch.manual_seed(seed)
    loss.elbo.step = sys.maxsize
    judged = Judged(loss, **options)
    for item in tqdm(batches, "evaluating", unit="batch"):
        judged.add(item)
    if judged.shown is None:
        raise ValueError(f"not one view could be judged, skipped: {dict(judged.skipped)}")
    return judged


def sweep(loss: Loss, batches: Batches, levels: Mapping[str, Sequence[float]], **options: Any) -> dict[str, Any]:
    """Judge all samples under rising noise of one sensor at a time (Joshi et al. 2022, Table 1 and Fig. 4).

    Args:
        loss: see `Judged`.
        batches: the samples under noise.
        levels: by sensor: shares of pixels, and standard deviations of points.
        options: further arguments of `Judged`.

    Returns:
        By sensor the `levels`, `iou` and `f1` by posterior, and with guides that weigh their inputs the mean `weights`
        of each in the joint posterior, all as lists over the levels.
    """
    found: dict[str, Any] = {}
    for sensor in (s for s in SENSORS if s in loss.guide.inputs and levels.get(s)):
        rows: dict[str, Any] = {"levels": list(levels[sensor])}
        for level in tqdm(levels[sensor], f"noise of {sensor}", unit="level", leave=False):
            judged = Judged(loss, **options)
            for item in batches({sensor: level}):
                judged.add(item, bound=False)
            for name, scores in judged.scores().items():
                for key in ("iou", "f1"):
                    rows.setdefault(key, {}).setdefault(name, []).append(scores[key])
            for name, by_kind in judged.trust["weights"].mean().items():
                # All samples are spoilt, or none: there is one kind.
                rows.setdefault("weights", {}).setdefault(name, []).append(next(iter(by_kind.values())))
        found[sensor] = rows
    return found
