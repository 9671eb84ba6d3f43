"""Errors of poses that come batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import Floats, PoseMetrics, pose_errors_mm, pose_metrics
from pyro_mmvae.predictions import seen_by
from pyro_mmvae.table import Subset


class PoseErrors:
    """Errors of the joints by posterior, of the samples in which it has anything to look at."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Floats, NDArray[np.bool_]]]] = {}

    def add(self, name: str, pose: Tensor, item: HandBatch, given: Subset) -> None:
        """Take the poses (B, 21, 3) that a posterior predicts which may look at some modalities."""
        there = seen_by(item.batch, given).numpy()
        errors = pose_errors_mm(pose, item.batch.data["pose"], item.hands.scale)
        self._rows.setdefault(name, []).append((errors[there], item.hands.visible.numpy()[there]))

    def count(self, name: str) -> int:
        """Return the number of samples in which a posterior had anything to look at."""
        return sum(len(errors) for errors, _ in self._rows.get(name, []))

    def metrics(self, **options: Any) -> dict[str, PoseMetrics]:
        """Return the metrics by posterior; one that never had anything to look at is left out.

        Args:
            options: see `pose_metrics`.
        """
        return {
            name: pose_metrics(*(np.concatenate(part) for part in zip(*rows, strict=True)), **options)
            for name, rows in self._rows.items()
            if self.count(name)
        }
