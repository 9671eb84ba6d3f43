"""The columns that a comparison of runs shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOWER_IS_BETTER = frozenset({"EPE mm, joint", "EPE mm, rgb", "EPE mm, cloud", "EPE mm, segmentation"})


def summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return mean end-point error and AUC of every posterior, from a run's `metrics.json`; the joint one first."""
    posteriors = sorted(metrics["posteriors"].items(), key=lambda item: item[0] != "joint")
    errors = {f"EPE mm, {name}": float(found["epe_mm"]["mean"]) for name, found in posteriors}
    return errors | {f"AUC 20-50, {name}": float(found["auc_20_50"]) for name, found in posteriors}
