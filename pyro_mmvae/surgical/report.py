"""What a trained model did on surgical views, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyro_mmvae.surgical.layout import CLASSES, ORGANS


def report(metrics: Mapping[str, Any]) -> str:
    """Return the results as an aligned table, IoU of every organ too; see `metrics.json` for all numbers."""
    organs = [CLASSES[kind] for kind in ORGANS]
    lines = [f"{'':<14}{'IoU':>8}{'F1':>8}" + "".join(f"{name:>13}" for name in organs)]
    for name, found in {**metrics["baseline"], **metrics["posteriors"]}.items():
        each = "".join(f"{found['iou_by_class'].get(organ, float('nan')):>13.3f}" for organ in organs)
        lines.append(f"{name.replace('_', ' '):<14}{found['iou']:>8.3f}{found['f1']:>8.3f}{each}")
    for sensor, rows in metrics.get("sweep", {}).items():
        lines += ["", f"IoU under noise of {sensor:<13}" + "".join(f"{level:>8g}" for level in rows["levels"])]
        lines += [f"{'  ' + name:<33}" + "".join(f"{v:>8.3f}" for v in values) for name, values in rows["iou"].items()]
        for name, values in rows.get("weights", {}).items():
            lines.append(f"{'  weight of ' + name:<33}" + "".join(f"{value:>8.3f}" for value in values))
    samples = metrics["samples"]
    return "\n".join([*lines, "", f"{samples['used']} views judged, skipped: {samples['skipped'] or 'none'}"])
