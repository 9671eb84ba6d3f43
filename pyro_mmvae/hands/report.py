"""What a trained model did on hands, as text."""

from __future__ import annotations

from pyro_mmvae.hands.evaluation import MEAN_POSE, Judged
from pyro_mmvae.hands.scores import CLEAN


def report(judged: Judged) -> str:
    """Return the results as an aligned table, with how many samples they are of."""
    baseline = judged.baseline
    lines = [f"{'posterior':<14}{'EPE mean':>12}{'EPE median':>12}{'AUC 20-50':>11}{'vs mean pose':>14}"]
    branches = {f"{name} branch": found for name, found in judged.branch_poses.items()}
    for name, m in {MEAN_POSE: baseline, **branches, **judged.poses}.items():
        change = "" if m is baseline else f"{100 * (m.epe_mean_mm / baseline.epe_mean_mm - 1):+.1f} %"
        errors = f"{m.epe_mean_mm:>9.2f} mm{m.epe_median_mm:>9.2f} mm"
        lines.append(f"{name:<14}{errors}{m.auc_20_50:>11.3f}{change:>14}")
    lines += [f"segmentation by {name}: IoU {s.iou:.3f}, F1 {s.f1:.3f}" for name, s in judged.segmentations.items()]
    for word, trust in judged.trust.items():
        for name, means in trust.mean().items():
            lines.append(f"{word} of {name}: " + ", ".join(f"{v:.3f} where {kind}" for kind, v in means.items()))
    if set(judged.conditions) - {CLEAN}:
        for condition, means in judged.conditions.items():
            what = condition if condition == CLEAN else f"corrupted {condition}"
            lines.append(f"EPE where {what}: " + ", ".join(f"{name} {value:.2f} mm" for name, value in means.items()))
    count, skipped = judged.errors.count(MEAN_POSE), dict(judged.skipped) or "none"
    return "\n".join([*lines, "", f"{count} samples judged, skipped: {skipped}"])
