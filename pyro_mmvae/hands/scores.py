"""Errors of poses that come batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.metrics import Floats, PoseMetrics, pose_errors_mm, pose_metrics
from pyro_mmvae.predictions import seen_by
from pyro_mmvae.table import Subset

CLEAN = "clean"


def conditions_of(corrupted: Mapping[str, Tensor], size: int) -> NDArray[np.str_]:
    """Return for each of B samples which sensors noise acted on, as `clean`, `rgb`, `cloud` or `rgb+cloud`.

    Args:
        corrupted: bool (B,) by sensor.
        size: B.
    """
    flags = {name: flag.tolist() for name, flag in corrupted.items()}
    names = ["+".join(n for n, flag in flags.items() if flag[row]) or CLEAN for row in range(size)]
    return np.array(names, dtype=np.str_)


class PoseErrors:
    """Errors of the joints by posterior, of the samples in which it has anything to look at."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Floats, NDArray[np.bool_], NDArray[np.str_]]]] = {}

    def add(self, name: str, pose: Tensor, item: HandBatch, given: Subset) -> None:
        """Take the poses (B, 21, 3) that a posterior predicts which may look at some modalities."""
        there = seen_by(item.batch, given).numpy()
        errors = pose_errors_mm(pose, item.batch.data["pose"], item.hands.scale)
        conditions = conditions_of(item.corrupted, item.batch.size)
        self._rows.setdefault(name, []).append((errors[there], item.hands.visible.numpy()[there], conditions[there]))

    def count(self, name: str) -> int:
        """Return the number of samples in which a posterior had anything to look at."""
        return sum(len(errors) for errors, *_ in self._rows.get(name, []))

    def metrics(self, **options: Any) -> dict[str, PoseMetrics]:
        """Return the metrics by posterior; one that never had anything to look at is left out.

        Args:
            options: see `pose_metrics`.
        """
        found = {name: self._joined(name) for name in self._rows if self.count(name)}
        return {name: pose_metrics(errors, visible, **options) for name, (errors, visible, _) in found.items()}

    def by_condition(self, name: str, **options: Any) -> dict[str, PoseMetrics]:
        """Return the metrics of one posterior by which sensors were corrupted, if it had anything to look at there."""
        errors, visible, conditions = self._joined(name)
        return {
            str(condition): pose_metrics(errors[chosen], visible[chosen], **options)
            for condition in np.unique(conditions)
            if (chosen := conditions == condition).any()
        }

    def _joined(self, name: str) -> tuple[Floats, NDArray[np.bool_], NDArray[np.str_]]:
        errors, visible, conditions = zip(*self._rows[name], strict=True)
        return np.concatenate(errors), np.concatenate(visible), np.concatenate(conditions)
