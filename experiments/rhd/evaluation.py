"""Predictions of every posterior on the evaluation split, and the numbers that follow from them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae import Batch, Guide, Loss
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import evaluation_loader
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import PoseMetrics, pose_errors_mm, pose_metrics

Floats = NDArray[np.floating]
MEAN_POSE = "mean pose"
SHOWN = 6
"""Samples that are kept whole for the figures."""


@dataclass
class Evaluation:
    """What a trained model did on the evaluation split.

    Attributes:
        metrics: pose metrics by posterior, over the samples in which it has anything to look at; a posterior that
            never has is left out.
        baseline: those of the mean training pose.
        elbo: parts of the objective in nats, averaged over samples.
        used: number of samples evaluated.
        skipped: samples left out, by reason.
        shown: the first batch, for figures.
        decoded: decoded modalities of that batch, by posterior and modality.
    """

    metrics: dict[str, PoseMetrics]
    baseline: PoseMetrics
    elbo: dict[str, float]
    used: int
    skipped: dict[str, int]
    shown: HandBatch
    decoded: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the part of `metrics.json` that the evaluation fills."""
        return {
            "posteriors": {name: m.to_dict() for name, m in self.metrics.items()},
            "baseline": {"mean_pose": self.baseline.to_dict()},
            "elbo": self.elbo,
            "samples": {"used": self.used, "skipped": self.skipped},
        }


@torch.no_grad()
def predict(
    loss: Loss, batch: Batch, subsets: Mapping[str, tuple[str, ...]], targets: tuple[str, ...]
) -> dict[str, dict[str, Tensor]]:
    """Return point predictions, decoded at the point of each posterior; every encoder runs once.

    Args:
        loss: model and guide.
        batch: B samples.
        subsets: what each posterior may look at, by name.
        targets: modalities to predict.

    Returns:
        Predictions `(B, *event)` by posterior and modality.
    """
    rows = {n: torch.tensor([[n in s] for s in subsets.values()], device=batch.device) for n in loss.guide.inputs}
    z = loss.guide.point(batch.seen(rows))
    decoded = {target: loss.model.predict(z, target) for target in targets}
    return {name: {t: value[row] for t, value in decoded.items()} for row, name in enumerate(subsets)}


def posteriors_of(guide: Guide) -> dict[str, tuple[str, ...]]:
    """Return the subsets whose posteriors are evaluated, by name: every input alone, and all of them as `joint`."""
    singles: dict[str, tuple[str, ...]] = {name: (name,) for name in guide.inputs}
    return {**singles, "joint": guide.inputs} if len(singles) > 1 else singles


@torch.no_grad()
def evaluate(
    loss: Loss, config: Config, average: Tensor, device: torch.device | str = "cpu", progress: bool = True
) -> Evaluation:
    """Run every posterior of the guide on the evaluation split.

    The objective's draws are seeded, so that the same checkpoint gives the same numbers; its schedules are at their
    end.

    Args:
        loss: trained model, guide and objective.
        config: of the run, or with other data and noise.
        average: mean pose (21, 3) of the samples that the model was trained on, the baseline.
        device: where to compute.
        progress: show a bar.

    Raises:
        ValueError: not one sample of the split could be used.
    """
    torch.manual_seed(config.seed)
    loss = loss.to(device).eval()
    split, loader = evaluation_loader(config)
    loss.elbo.step = sys.maxsize
    subsets = posteriors_of(loss.guide)
    errors, parts, shown, skipped = _Errors(), _Mean(), None, Counter(split.skipped)
    for item in tqdm(loader, "evaluating", unit="batch", disable=not progress):
        skipped.update(reason for _, reason, _ in item.skipped)
        if item.batch.size == 0:
            continue
        shown = shown or item
        batch = item.batch.to(device)
        bound = loss.bound(batch)
        parts.add({"bound": (bound.per_sample.sum(), torch.tensor(batch.size)), **bound.totals()})
        errors.add(MEAN_POSE, average.expand(batch.size, -1, -1), item, ("pose",))
        for name, found in predict(loss, batch, subsets, ("pose",)).items():
            errors.add(name, found["pose"].cpu(), item, subsets[name])
    if shown is None:
        raise ValueError(f"not one evaluation sample could be used: {split.report()}, {dict(skipped)}")
    scores = errors.metrics()
    decoded = _decoded(loss, config, shown, device)
    return Evaluation(
        metrics={name: scores[name] for name in subsets if name in scores},
        baseline=scores[MEAN_POSE],
        elbo=parts.mean(),
        used=errors.count(MEAN_POSE),
        skipped=dict(skipped),
        shown=shown,
        decoded={name: found for name, found in decoded.items() if name in scores},
    )


def _decoded(loss: Loss, config: Config, item: HandBatch, device: Any) -> dict[str, dict[str, Tensor]]:
    made = predict(loss, item.batch[slice(SHOWN)].to(device), posteriors_of(loss.guide), config.flow.targets)
    return {name: {n: v.cpu() for n, v in found.items()} for name, found in made.items()}


class _Errors:
    """Errors of the joints by posterior, of the samples in which it has anything to look at."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[Floats, NDArray[np.bool_]]]] = {}

    def add(self, name: str, pose: Tensor, item: HandBatch, given: tuple[str, ...]) -> None:
        # The others would only show the prior.
        there = torch.stack([item.batch.observed[modality] for modality in given]).any(0).numpy()
        errors = pose_errors_mm(pose, item.batch.data["pose"], item.hands.scale)
        self.rows.setdefault(name, []).append((errors[there], item.hands.visible.numpy()[there]))

    def count(self, name: str) -> int:
        return sum(len(errors) for errors, _ in self.rows[name])

    def metrics(self) -> dict[str, PoseMetrics]:
        return {
            name: pose_metrics(*(np.concatenate(part) for part in zip(*rows, strict=True)))
            for name, rows in self.rows.items()
            if self.count(name)
        }


class _Mean:
    """Means over all samples that have a part, from sums and counts by batch."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, totals: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        for name, (total, count) in totals.items():
            before, samples = self.sums.get(name, (0.0, 0))
            self.sums[name] = (before + float(total), samples + int(count))

    def mean(self) -> dict[str, float]:
        return {name: total / count for name, (total, count) in self.sums.items() if count}


def table(metrics: Mapping[str, PoseMetrics], baseline: PoseMetrics) -> str:
    """Return the results as an aligned table for the terminal."""
    lines = [f"{'posterior':<14}{'EPE mean':>12}{'EPE median':>12}{'AUC 20-50':>11}{'vs mean pose':>14}"]
    for name, m in _rows(metrics, baseline):
        gain = 100 * (m.epe_mean_mm / baseline.epe_mean_mm - 1)
        change = "" if m is baseline else f"{gain:+.1f} %"
        lines.append(f"{name:<14}{m.epe_mean_mm:>9.2f} mm{m.epe_median_mm:>9.2f} mm{m.auc_20_50:>11.3f}{change:>14}")
    return "\n".join(lines)


def _rows(metrics: Mapping[str, PoseMetrics], baseline: PoseMetrics) -> Iterator[tuple[str, PoseMetrics]]:
    yield MEAN_POSE, baseline
    yield from metrics.items()
