"""Rank histograms of simulation-based calibration."""

from __future__ import annotations

from pathlib import Path

from scipy import stats

from pyro_mmvae.estimators.ranks import Calibration
from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save

COLUMNS = 4


def plot_calibration(
    calibration: Calibration, path: str | Path, *, bins: int = 20, dimensions: int = 7, level: float = 0.99
) -> Path:
    """Draw histograms of ranks: of log p(x, z), and of the latent dimensions that are least uniform.

    The band is where a bar of a uniform histogram is with probability `level`. A hump says that the posterior is too
    wide, a valley that it is too narrow, a slope that it is shifted.

    Args:
        calibration: see `pyro_mmvae.estimators.calibration`.
        path: of the file.
        bins: L + 1 should be a multiple of it.
        dimensions: how many of z are drawn.
        level: of the band, for one bar.
    """
    counts = calibration.histogram(bins)
    p_values = calibration.p_values(bins)
    worst = p_values.argsort()[:dimensions]
    shown = [("log p(x, z)", calibration.joint_histogram(bins), calibration.summary(bins)["p_value_joint"])]
    shown += [(f"z[{index}]", counts[index], p_values[index]) for index in worst]
    rows = -(-len(shown) // COLUMNS)
    figure = new_figure(2.4 * COLUMNS, 1.9 * rows + 0.5)
    axes = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).ravel()
    points = len(calibration.joint)
    low, high = stats.binom.interval(level, points, 1 / bins)
    edges = [index * (calibration.num_samples + 1) / bins - 0.5 for index in range(bins + 1)]
    for place, (name, heights, p_value) in zip(axes, shown, strict=False):
        place.stairs(heights, edges, fill=True, color=CURVE_COLOURS[0], alpha=0.7)
        place.axhspan(low, high, color="0.5", alpha=0.35)
        place.axhline(points / bins, color="0.3", linewidth=0.8)
        place.set_title(f"{name}, p = {p_value:.2g}", fontsize=9)
        place.set_ylim(0)
    for place in axes[len(shown) :]:
        place.set_visible(False)
    figure.supxlabel(f"rank among {calibration.num_samples} draws of q(z | {', '.join(calibration.given)})", fontsize=9)
    return save(figure, path)
