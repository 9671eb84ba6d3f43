"""Numbers of an evaluation, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.experiments.rhd.posteriors import seen_by
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import PoseMetrics, pose_errors_mm, pose_metrics


class PoseErrors:
    """Errors of the joints by posterior, of the samples in which it has anything to look at."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[NDArray[np.floating], NDArray[np.bool_]]]] = {}

    def add(self, name: str, pose: Tensor, item: HandBatch, given: tuple[str, ...]) -> None:
        """Take the predicted poses (B, 21, 3) of a posterior that may look at some modalities."""
        there = seen_by(item.batch, given).numpy()
        errors = pose_errors_mm(pose, item.batch.data["pose"], item.hands.scale)
        self.rows.setdefault(name, []).append((errors[there], item.hands.visible.numpy()[there]))

    def count(self, name: str) -> int:
        """Return the number of samples in which a posterior had anything to look at."""
        return sum(len(errors) for errors, _ in self.rows[name])

    def metrics(self) -> dict[str, PoseMetrics]:
        """Return the metrics by posterior; one that never had anything to look at is left out."""
        return {
            name: pose_metrics(*(np.concatenate(part) for part in zip(*rows, strict=True)))
            for name, rows in self.rows.items()
            if self.count(name)
        }


class Means:
    """Means over all samples that have a part, from sums and counts by batch."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, totals: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Take the sums and counts of a batch."""
        for name, (total, count) in totals.items():
            before, samples = self.sums.get(name, (0.0, 0))
            self.sums[name] = (before + float(total), samples + int(count))

    def mean(self) -> dict[str, float]:
        """Return the means."""
        return {name: total / count for name, (total, count) in self.sums.items() if count}
