"""Inference gaps of one or several guides, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyro_mmvae.estimators.gaps import InferenceGap
from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save
from pyro_mmvae.table import Subset


def plot_gaps(gaps: Mapping[str, Mapping[Subset, InferenceGap]], path: str | Path) -> Path:
    """Draw what each guide loses in nats, by what it sees: approximation below, amortisation on top of it.

    Error bars are two standard errors of the whole gap over data points. Where a mixture is better than any diagonal
    Gaussian its amortisation is negative, and is drawn below zero.

    Args:
        gaps: by the name of the guide, see `pyro_mmvae.estimators.inference_gaps`.
        path: of the file.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not gaps or not all(gaps.values()):
        raise ValueError("gaps: expected one or more guides, each with one or more subsets, got none")
    subsets = list(dict.fromkeys(subset for found in gaps.values() for subset in found))
    figure = new_figure(max(1.6 * len(subsets) * max(len(gaps), 2) / 2 + 2, 5), 3.6)
    axes = figure.subplots()
    width = 0.8 / len(gaps)
    for number, (name, found) in enumerate(gaps.items()):
        there = [index for index, subset in enumerate(subsets) if subset in found]
        rows = [found[subsets[index]].summary() for index in there]
        places = [index + (number - (len(gaps) - 1) / 2) * width for index in there]
        colour = CURVE_COLOURS[number % len(CURVE_COLOURS)]
        below = [row["approximation"] for row in rows]
        label = f"{name}: " if len(gaps) > 1 else ""
        axes.bar(places, below, 0.9 * width, color=colour, alpha=0.45, label=f"{label}approximation")
        axes.bar(
            places,
            [row["amortisation"] for row in rows],
            0.9 * width,
            bottom=[low if row["amortisation"] >= 0 else 0.0 for low, row in zip(below, rows, strict=True)],
            color=colour,
            label=f"{label}amortisation",
        )
        errors = [2 * row["gap_se"] for row in rows]
        axes.errorbar(places, [row["gap"] for row in rows], yerr=errors, fmt="none", color="k", capsize=3)
    axes.set_xticks(range(len(subsets)), ["q(z | " + ", ".join(subset) + ")" for subset in subsets])
    axes.set_ylabel("KL to the model's posterior, nats")
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)
