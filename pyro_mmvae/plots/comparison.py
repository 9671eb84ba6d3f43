"""Comparison of held-out log-likelihoods, in the style of ArviZ's `plot_compare`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure


def plot_compare(comparison: pd.DataFrame, path: Path) -> None:
    """Draw means with their standard errors, and the paired differences to the best with theirs.

    Args:
        comparison: see `pyro_mmvae.estimators.compare`.
        path: of the PNG file.
    """
    figure = Figure(figsize=(7.5, 1.4 + 0.45 * len(comparison)), layout="constrained")
    axes = figure.subplots()
    places = range(len(comparison))
    axes.axvline(comparison["mean"].iloc[0], color="0.6", linestyle="--", linewidth=1)
    axes.errorbar(
        comparison["mean"],
        places,
        xerr=comparison["se"],
        color="k",
        label="mean, se over data points",
        fmt="o",
        capsize=3,
    )
    others = comparison.iloc[1:]
    axes.errorbar(
        others["mean"],
        [place + 0.25 for place in places[1:]],
        xerr=others["difference_se"],
        fmt="^",
        color="tab:orange",
        capsize=3,
        label="se of the paired difference to the best",
    )
    flagged = comparison["khat_over_0.7"] > 0
    names = [f"{n} (k-hat!)" if bad else str(n) for n, bad in zip(comparison.index, flagged, strict=True)]
    axes.set_yticks(list(places), names)
    axes.set_ylim(len(comparison) - 0.3, -0.6)
    axes.set_xlabel("log-likelihood, nats per data point (higher is better)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3 if len(comparison) < 4 else -0.2), fontsize=8, ncols=2)
    figure.savefig(path, dpi=120)
