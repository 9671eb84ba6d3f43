"""One figure of a comparison: every quantity a panel, every variant a line with its error bar."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

PANEL = (3.4, 0.3)
"""Width of a panel and height of a line, in inches."""
MAX_COLUMNS = 4


def draw(comparison: pd.DataFrame, values: pd.DataFrame, path: Path) -> None:
    """Draw means and standard errors over seeds, and the single runs as dots.

    Args:
        comparison: see `results.compared`.
        values: see `results.collect`.
        path: of the PNG file.
    """
    columns, variants = list(dict.fromkeys(comparison["column"])), list(dict.fromkeys(comparison["variant"]))
    across = min(len(columns), MAX_COLUMNS)
    down = math.ceil(len(columns) / across)
    size = (1.6 + PANEL[0] * across, down * (1.0 + PANEL[1] * len(variants)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True).flatten()
    for panel, column in zip(panels, columns, strict=False):
        rows = comparison[comparison["column"] == column].set_index("variant").reindex(variants)
        dots = values[values["column"] == column]
        panel.scatter(dots["value"], [variants.index(v) for v in dots["variant"]], s=8, color="0.7", zorder=1)
        panel.errorbar(
            rows["mean"], range(len(variants)), xerr=rows["se"].fillna(0), fmt="o", ms=4, capsize=3, zorder=2
        )
        panel.set_title(column, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(variants)), variants)
    panels[0].invert_yaxis()
    for panel in panels[len(columns) :]:
        panel.set_visible(False)
    figure.supxlabel("bars: standard error over seeds; grey dots: single runs", fontsize=8)
    figure.savefig(path, dpi=120)
