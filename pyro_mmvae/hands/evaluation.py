"""What every posterior of a trained guide does on hands: poses, segmentations, weights, parts of the bound."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.batch import Batch
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import PoseMetrics
from pyro_mmvae.hands.scores import CLEAN, PoseErrors
from pyro_mmvae.metrics import ExpertWeights, Means, SegmentationMetrics, confusion_matrices, segmentation_metrics
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.objective import Loss
from pyro_mmvae.predictions import points, predictions, seen_by, singles_and_joint

MEAN_POSE = "mean pose"
SHOWN = 6
"""Samples that are kept whole for the figures."""


class Judged:
    """What a trained model does on samples, gathered batch by batch.

    Args:
        loss: model, guide and objective, in evaluation mode on the device to compute on.
        targets: what is decoded, the pose at least.
        mean_pose: (21, 3) of the samples that the model was trained on, the baseline.
        rules: of errors, see `pose_metrics`.

    Attributes:
        elbo: parts of the objective in nats.
        trust: `weights` and `influence` of each input in the joint posterior, for guides that have such.
        branches: names of the further pairs that model and guide carry, whose poses are scored too.
        skipped: samples left out, by reason.
        shown: the first batch, for figures.
    """

    def __init__(self, loss: Loss, targets: Sequence[str], mean_pose: Tensor, **rules: Any) -> None:
        self.loss, self.targets, self.mean_pose, self.rules = loss, targets, mean_pose, rules
        self.device, self.subsets = next(loss.parameters()).device, singles_and_joint(loss.guide)
        self.branches = tuple(loss.model.branches)
        self.errors, self.elbo = PoseErrors(), Means()
        self.trust = {"weights": ExpertWeights("weights"), "influence": ExpertWeights("influence")}
        self.confusion: dict[str, list[Tensor]] = {name: [] for name in self.subsets}
        self.skipped: Counter[str] = Counter()
        self.shown: HandBatch | None = None

    @torch.no_grad()
    def add(self, item: HandBatch) -> None:
        """Take a batch."""
        self.skipped.update(reason for _, reason, _ in item.skipped)
        if item.batch.size == 0:
            return
        self.shown = self.shown or item
        batch, guide = item.batch.to(self.device), self.loss.guide
        bound = self.loss.bound(batch)
        self.elbo.add({"bound": (bound.per_sample.sum(), torch.tensor(batch.size)), **bound.totals()})
        for trust in self.trust.values():
            trust.add(guide, batch, item.corrupted)
        self._add_predictions(points(guide, batch, self.subsets), item)
        for name in self.branches:
            self.errors.add(name, self._pose_of_branch(name, batch), item, guide.branches[name].inputs)

    def _pose_of_branch(self, name: str, batch: Batch) -> Tensor:
        model, guide = self.loss.model.branches[name], self.loss.guide.branches[name]
        assert isinstance(model, MultimodalVAE)
        return model.predict(guide.point(batch.given(guide.inputs)), "pose").cpu()

    def _add_predictions(self, z: Tensor, item: HandBatch) -> None:
        self.errors.add(MEAN_POSE, self.mean_pose.expand(item.batch.size, -1, -1), item, ("pose",))
        scored = [target for target in ("pose", "segmentation") if target in self.targets]
        for name, found in predictions(self.loss.model, z, list(self.subsets), scored).items():
            self.errors.add(name, found["pose"].cpu(), item, self.subsets[name])
            if "segmentation" in found:
                there = seen_by(item.batch, self.subsets[name]) & item.batch.observed["segmentation"]
                true = item.batch.data["segmentation"][there]
                self.confusion[name].append(confusion_matrices(found["segmentation"].cpu()[there], true, 2))

    @cached_property
    def _scores(self) -> dict[str, PoseMetrics]:
        return self.errors.metrics(**self.rules)

    @property
    def baseline(self) -> PoseMetrics:
        """Pose metrics of the mean training pose."""
        return self._scores[MEAN_POSE]

    @property
    def poses(self) -> dict[str, PoseMetrics]:
        """Pose metrics by posterior, of the samples in which it has anything to look at; if there are any."""
        return {name: found for name, found in self._scores.items() if name in self.subsets}

    @property
    def branch_poses(self) -> dict[str, PoseMetrics]:
        """Pose metrics by branch."""
        return {name: found for name, found in self._scores.items() if name in self.branches}

    @cached_property
    def conditions(self) -> dict[str, dict[str, float]]:
        """Mean end-point error in mm by which sensors were corrupted, and by posterior."""
        found: dict[str, dict[str, float]] = {}
        for name in self.poses:
            for condition, metrics in self.errors.by_condition(name, **self.rules).items():
                found.setdefault(condition, {})[name] = metrics.epe_mean_mm
        return found

    @property
    def segmentations(self) -> dict[str, SegmentationMetrics]:
        """IoU and F1 by posterior, where segmentations are decoded and their truth is known."""
        counts = {name: torch.cat(parts) for name, parts in self.confusion.items() if parts}
        return {name: segmentation_metrics(count) for name, count in counts.items() if len(count)}

    def decoded(self) -> dict[str, dict[str, Tensor]]:
        """Return everything that is decoded of the first samples, by posterior and modality."""
        assert self.shown is not None
        z = points(self.loss.guide, self.shown.batch[slice(SHOWN)].to(self.device), self.subsets)
        made = predictions(self.loss.model, z, list(self.subsets), self.targets)
        found = {name: {n: v.cpu() for n, v in made[name].items()} for name in self.poses}
        batch = self.shown.batch[slice(SHOWN)].to(self.device)
        return found | {name: {"pose": self._pose_of_branch(name, batch)} for name in self.branches}

    def metrics(self) -> dict[str, Any]:
        """Return the part of `metrics.json` that the evaluation fills."""
        posteriors = {name: found.to_dict() for name, found in self.poses.items()}
        for name, found in self.segmentations.items():
            posteriors[name]["segmentation"] = found.to_dict()
        return {
            "posteriors": posteriors,
            "baseline": {"mean_pose": self.baseline.to_dict()},
            **{word: means for word, trust in self.trust.items() if (means := trust.mean())},
            **({"conditions": self.conditions} if set(self.conditions) - {CLEAN} else {}),
            "elbo": self.elbo.mean(),
            "samples": {"used": self.errors.count(MEAN_POSE), "skipped": dict(self.skipped)},
        }


def judge(loss: Loss, batches: Iterable[HandBatch], seed: int, **options: Any) -> Judged:
    """Run every posterior of the guide on samples.

    The objective's draws are seeded, so that the same checkpoint gives the same numbers; its schedules are at their
    end.

    Args:
        loss: see `Judged`.
        batches: the samples.
        seed: of the draws.
        options: further arguments of `Judged`.

    Raises:
        ValueError: not one sample could be used.
    """
    torch.manual_seed(seed)
    loss.elbo.step = sys.maxsize
    judged = Judged(loss, **options)
    for item in tqdm(batches, "evaluating", unit="batch"):
        judged.add(item)
    if judged.shown is None:
        raise ValueError(f"not one sample could be judged, skipped: {dict(judged.skipped)}")
    return judged
