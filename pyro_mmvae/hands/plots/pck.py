"""Curves of correct keypoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pyro_mmvae.hands.metrics import PoseMetrics
from pyro_mmvae.plots.style import curve_colours, new_figure, save


def plot_pck(curves: Mapping[str, PoseMetrics], path: str | Path, dashed: Collection[str] = ()) -> Path:
    """Plot the share of correct keypoints over the threshold, one curve per name.

    Args:
        curves: metrics by name.
        path: where the image goes; its suffix is the format.
        dashed: names of the curves to set apart, such as a baseline.

    Returns:
        The path.

    Raises:
        ValueError: there are no curves.
    """
    if not curves:
        raise ValueError("expected at least one curve, got none")
    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    axes.axvspan(20, 50, color="0.94", zorder=0)
    for (name, metrics), colour in zip(curves.items(), curve_colours(len(curves)), strict=True):
        label = f"{name}: AUC {metrics.auc_20_50:.3f}, EPE {metrics.epe_mean_mm:.1f} mm"
        style = "--" if name in dashed else "-"
        axes.plot(metrics.thresholds_mm, metrics.pck, style, color=colour, label=label, linewidth=1.8)
    axes.set(xlabel="error threshold [mm]", ylabel="share of correct keypoints (PCK)", ylim=(0, 1.02))
    axes.set_xlim(0, max(metrics.thresholds_mm[-1] for metrics in curves.values()))
    axes.set_title("3-D PCK; the AUC is taken over the shaded range", fontsize=11)
    axes.grid(alpha=0.4)
    figure.legend(loc="outside lower center", ncols=1 if len(curves) < 3 else 2, frameon=False, fontsize=9)
    return save(figure, path)
