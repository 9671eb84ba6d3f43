"""Predictions of every posterior on the evaluation split, and the numbers that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from experiments.rhd.config import Config
from experiments.rhd.data import evaluation_loader, training_poses
from pyro_mmvae import Batch, Loss
from pyro_mmvae.data.hand_batch import HandBatch
from pyro_mmvae.metrics.pose import PoseMetrics, mean_pose, pose_errors_mm, pose_metrics

Floats = NDArray[np.floating]
MEAN_POSE = "mean pose"
SHOWN = 8
"""Samples that are kept whole for the figures."""


@dataclass
class Evaluation:
    """What a trained model did on the evaluation split.

    Attributes:
        metrics: pose metrics by posterior.
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
    """Return point predictions, decoded at the mean of each posterior; every encoder runs once.

    Args:
        loss: model and guide.
        batch: B samples.
        subsets: what each posterior may look at, by name.
        targets: modalities to predict.

    Returns:
        Predictions `(B, *event)` by posterior and modality.
    """
    rows = {n: torch.tensor([[n in s] for s in subsets.values()], device=batch.device) for n in loss.guide.inputs}
    z = loss.guide.posterior(batch.seen(rows)).mean
    decoded = {target: loss.model.predict(z, target) for target in targets}
    return {name: {t: value[row] for t, value in decoded.items()} for row, name in enumerate(subsets)}


@torch.no_grad()
def evaluate(loss: Loss, config: Config, device: torch.device | str = "cpu", progress: bool = True) -> Evaluation:
    """Run every posterior of the setting on the evaluation split.

    The objective's draws are seeded, so that the same checkpoint gives the same numbers.
    """
    torch.manual_seed(config.seed)
    loss = loss.to(device).eval()
    split, loader = evaluation_loader(config)
    errors: dict[str, list[Floats]] = {name: [] for name in (*config.posteriors, MEAN_POSE)}
    visible, parts, shown, skipped = [], _Mean(), None, dict(split.skipped)
    average = torch.as_tensor(mean_pose(training_poses(config)), dtype=torch.float32)
    for item in tqdm(loader, "evaluating", unit="batch", disable=not progress):
        for _, reason, _ in item.skipped:
            skipped[reason] = skipped.get(reason, 0) + 1
        if item.batch.size == 0:
            continue
        shown = shown or item
        batch = item.batch.to(device)
        bound = loss.bound(batch)
        parts.add({"bound": -bound.loss, **bound.parts()}, batch.size)
        true, scale = item.batch.data["pose"], item.hands.scale
        for name, found in predict(loss, batch, config.posteriors, ("pose",)).items():
            errors[name].append(pose_errors_mm(found["pose"].cpu(), true, scale))
        errors[MEAN_POSE].append(pose_errors_mm(average.expand_as(true), true, scale))
        visible.append(item.hands.visible.numpy())
    if shown is None:
        raise ValueError(f"not one evaluation sample could be used: {split.report()}, {skipped}")
    seen = np.concatenate(visible)
    scores = {name: pose_metrics(np.concatenate(rows), seen) for name, rows in errors.items()}
    return Evaluation(
        metrics={name: scores[name] for name in config.posteriors},
        baseline=scores[MEAN_POSE],
        elbo=parts.mean(),
        used=len(seen),
        skipped=skipped,
        shown=shown,
        decoded=_decoded(loss, config, shown, device),
    )


def _decoded(loss: Loss, config: Config, item: HandBatch, device: Any) -> dict[str, dict[str, Tensor]]:
    made = predict(loss, item.batch[slice(SHOWN)].to(device), config.posteriors, config.flow.targets)
    return {name: {n: v.cpu() for n, v in found.items()} for name, found in made.items()}


class _Mean:
    """Means over samples, from means over batches."""

    def __init__(self) -> None:
        self.total: dict[str, float] = {}
        self.count = 0

    def add(self, values: Mapping[str, Tensor], size: int) -> None:
        for name, value in values.items():
            self.total[name] = self.total.get(name, 0.0) + float(value) * size
        self.count += size

    def mean(self) -> dict[str, float]:
        return {name: value / self.count for name, value in self.total.items()}


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
