"""Figures of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from pyro_mmvae.data.images import UnreadableImageError, read_colour
from pyro_mmvae.experiments.common.driver import experiment_class
from pyro_mmvae.experiments.common.run_folder import FIGURES
from pyro_mmvae.experiments.compare.plan import Run
from pyro_mmvae.plots.style import curve_colours, save

MAX_COLUMNS = 4
SHEET_WIDTH = 12.0
"""Inches."""


def draw(
    comparison: pd.DataFrame, values: pd.DataFrame, runs: Sequence[Run], varied: Sequence[str], base: Path
) -> None:
    """Draw all that there is: results, results over a varied number, curves and pictures of the runs.

    Args:
        comparison: see `results.compared`.
        values: see `results.collect`.
        runs: those that have finished.
        varied: names of the varied options.
        base: path of the figures without their endings.
    """
    draw_results(comparison, values, base.with_suffix(".png"))
    if (name := next((n for n in varied if _numbers(values[n]) is not None), None)) is not None:
        draw_over(values, name, base.with_name(f"{base.name}-over-{name}.png"))
    cls = experiment_class(runs[0].config.experiment)
    for title, lines in _curves(runs).items():
        draw_curves(lines, title, base.with_name(f"{base.name}-{_word(title)}.png"))
    for sheet in (*cls.sheets, "cross_correlation.png"):
        draw_sheet(runs, sheet, base.with_name(f"{base.name}-{sheet}"))


def draw_results(comparison: pd.DataFrame, values: pd.DataFrame, path: Path) -> Path:
    """Draw means and standard errors over seeds, the single runs as dots, published values as marks."""
    columns, variants = list(dict.fromkeys(comparison["column"])), list(dict.fromkeys(comparison["variant"]))
    figure, panels = _panels(len(columns), 3.4, 1.0 + 0.3 * len(variants), left=1.6, sharey=True)
    for panel, column in zip(panels, columns, strict=False):
        rows = comparison[comparison["column"] == column].set_index("variant").reindex(variants)
        dots = values[values["column"] == column]
        panel.scatter(dots["value"], [variants.index(v) for v in dots["variant"]], s=8, color="0.7", zorder=1)
        panel.errorbar(
            rows["mean"], range(len(variants)), xerr=rows["se"].fillna(0), fmt="o", ms=4, capsize=3, zorder=2
        )
        panel.scatter(rows["published"], range(len(variants)), marker="|", s=60, color="#D55E00", zorder=3)
        panel.set_title(column, fontsize=9)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(variants)), variants)
    panels[0].invert_yaxis()
    marks = "; orange: published, or known otherwise" if comparison["published"].notna().any() else ""
    figure.supxlabel(f"bars: standard error over seeds; grey dots: single runs{marks}", fontsize=8)
    return save(figure, path)


def draw_over(values: pd.DataFrame, option: str, path: Path) -> Path:
    """Draw every result over a varied option that has numbers, a line for each variant of everything else."""
    columns = list(dict.fromkeys(values["column"]))
    others = values["variant"].str.replace(rf" {option}=\S+", "", regex=True)
    lines = list(dict.fromkeys(others))
    figure, panels = _panels(len(columns), 3.6, 2.8)
    for panel, column in zip(panels, columns, strict=False):
        for line, colour in zip(lines, curve_colours(len(lines)), strict=True):
            chosen = values[(values["column"] == column) & (others == line)]
            grouped = chosen.assign(x=_numbers(chosen[option])).groupby("x")["value"]
            means, errors = grouped.mean(), grouped.sem().fillna(0)
            panel.errorbar(means.index, means, yerr=errors, fmt="o-", ms=4, capsize=3, color=colour, label=line)
        panel.set_title(column, fontsize=9)
        panel.set_xlabel(option, fontsize=8)
        panel.grid(alpha=0.3)
    _legend(figure, panels[0], "bars: standard error over seeds")
    return save(figure, path)


def draw_curves(lines: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]], title: str, path: Path) -> Path:
    """Draw a curve of every variant, the mean over seeds, with single seeds thin."""
    (figure, panels), labels = _panels(1, 6.4, 4.4), title.split("; ")
    for (name, curves), colour in zip(lines.items(), curve_colours(len(lines)), strict=True):
        for x, y in curves if len(curves) > 1 else ():
            panels[0].plot(x, y, color=colour, lw=0.6, alpha=0.5)
        alike = [y for x, y in curves if x == curves[0][0]]
        panels[0].plot(curves[0][0], np.mean(alike, axis=0), color=colour, lw=1.8, label=name)
    panels[0].set_title(labels[0], fontsize=10)
    panels[0].set(xlabel=labels[1] if len(labels) > 1 else "", ylabel=labels[2] if len(labels) > 2 else "")
    panels[0].grid(alpha=0.3)
    _legend(figure, panels[0], "thin: single seeds")
    return save(figure, path)


def draw_sheet(runs: Sequence[Run], name: str, path: Path) -> Path | None:
    """Put a figure of every variant's first run below one another; None if no run has drawn it."""
    pictures: dict[str, Image] = {}
    for run in runs[::-1]:
        with suppress(UnreadableImageError):  # not drawn, or damaged
            pictures[run.variant] = read_colour(run.folder / FIGURES / name)
    if not pictures:
        return None
    heights = [SHEET_WIDTH * picture.height / picture.width for picture in reversed(pictures.values())]
    figure = Figure(figsize=(SHEET_WIDTH, sum(heights) + 0.35 * len(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (variant, picture) in zip(panels, reversed(pictures.items()), strict=True):
        panel.imshow(picture)
        panel.set_title(variant, fontsize=10)
        panel.set_axis_off()
    return save(figure, path)


def _curves(runs: Sequence[Run]) -> dict[str, dict[str, list[tuple[list[float], list[float]]]]]:
    found: dict[str, dict[str, list[tuple[list[float], list[float]]]]] = {}
    for run in runs:
        for title, curve in run.curves().items():
            key = "; ".join((title, *curve.labels))
            found.setdefault(key, {}).setdefault(run.variant, []).append((curve.x, curve.y))
    return found


def _panels(
    count: int, width: float, height: float, left: float = 0.0, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    across = min(count, MAX_COLUMNS)
    down = math.ceil(count / across)
    figure = Figure(figsize=(left + width * across, height * down), layout="constrained")
    panels = list(figure.subplots(down, across, squeeze=False, sharey=sharey).flatten())
    for panel in panels:
        panel.tick_params(labelsize=8)
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels


def _legend(figure: Figure, panel: Axes, note: str) -> None:
    handles, names = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(len(names), 3),
        frameon=False,
        fontsize=8,
        title=note,
        title_fontsize=8,
    )


def _numbers(words: pd.Series[str]) -> pd.Series[float] | None:
    numbers = pd.to_numeric(words, errors="coerce")
    return None if numbers.isna().any() else numbers


def _word(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.partition("; ")[0]).strip("-").lower()
