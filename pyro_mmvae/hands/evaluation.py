"""What every posterior of a trained guide does on the judged samples."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae import Loss
from pyro_mmvae.experiments.rhd.data import HandData
from pyro_mmvae.experiments.rhd.posteriors import posteriors_of, predict
from pyro_mmvae.experiments.rhd.scores import Means, PoseErrors
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import PoseMetrics

MEAN_POSE = "mean pose"
SHOWN = 6
"""Samples that are kept whole for the figures."""


@dataclass
class Judged:
    """What a trained model did on the judged samples.

    Attributes:
        poses: pose metrics by posterior, over the samples in which it has anything to look at; a posterior that never
            has is left out.
        baseline: those of the mean training pose.
        elbo: parts of the objective in nats, averaged over samples.
        used: number of samples.
        skipped: samples left out, by reason.
        shown: the first batch, for figures.
        decoded: decoded modalities of its first samples, by posterior and modality.
    """

    poses: dict[str, PoseMetrics]
    baseline: PoseMetrics
    elbo: dict[str, float]
    used: int
    skipped: dict[str, int]
    shown: HandBatch
    decoded: dict[str, dict[str, Tensor]]

    def metrics(self) -> dict[str, Any]:
        """Return the part of `metrics.json` that the evaluation fills."""
        return {
            "posteriors": {name: m.to_dict() for name, m in self.poses.items()},
            "baseline": {"mean_pose": self.baseline.to_dict()},
            "elbo": self.elbo,
            "samples": {"used": self.used, "skipped": self.skipped},
        }

    def report(self) -> str:
        """Return the results as an aligned table, and how many samples they are of."""
        lines = [f"{'posterior':<14}{'EPE mean':>12}{'EPE median':>12}{'AUC 20-50':>11}{'vs mean pose':>14}"]
        for name, m in {MEAN_POSE: self.baseline, **self.poses}.items():
            change = "" if m is self.baseline else f"{100 * (m.epe_mean_mm / self.baseline.epe_mean_mm - 1):+.1f} %"
            errors = f"{m.epe_mean_mm:>9.2f} mm{m.epe_median_mm:>9.2f} mm"
            lines.append(f"{name:<14}{errors}{m.auc_20_50:>11.3f}{change:>14}")
        return "\n".join([*lines, "", f"{self.used} samples judged, skipped: {self.skipped or 'none'}"])


@torch.no_grad()
def judge(loss: Loss, data: HandData, average: Tensor) -> Judged:
    """Run every posterior of the guide on the judged samples.

    The objective's draws are seeded, so that the same checkpoint gives the same numbers; its schedules are at their
    end.

    Args:
        loss: trained model, guide and objective, in evaluation mode on the device to compute on.
        data: of the run, or others.
        average: mean pose (21, 3) of the samples that the model was trained on, the baseline.

    Raises:
        ValueError: not one sample could be used.
    """
    torch.manual_seed(data.config.seed)
    loss.elbo.step = sys.maxsize
    device, subsets = next(loss.parameters()).device, posteriors_of(loss.guide)
    errors, parts, shown, skipped = PoseErrors(), Means(), None, Counter(data.samples.skipped)
    for item in tqdm(data.judged_hands(), "evaluating", unit="batch"):
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
        raise ValueError(f"not one evaluation sample could be used: {data.samples.report()}, {dict(skipped)}")
    poses = errors.metrics()
    baseline = poses.pop(MEAN_POSE)
    used, decoded = errors.count(MEAN_POSE), _decoded(loss, data, shown, poses)
    return Judged(poses, baseline, parts.mean(), used, dict(skipped), shown, decoded)


def _decoded(loss: Loss, data: HandData, item: HandBatch, wanted: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    batch = item.batch[slice(SHOWN)].to(next(loss.parameters()).device)
    made = predict(loss, batch, posteriors_of(loss.guide), data.config.flow.targets)
    return {name: {n: v.cpu() for n, v in made[name].items()} for name in made if name in wanted}
