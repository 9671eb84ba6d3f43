"""Training curves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pyro_mmvae.plots.style import curve_colours, new_figure, save

History = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def plot_training(history: History, path: str | Path) -> Path:
    """Plot training curves, one panel per quantity.

    Args:
        history: (epochs, values) by name. Names "train/loss" and "validation/loss" share the panel "loss"; a
            name without a slash has a panel of its own.
        path: where the image goes.

    Returns:
        The path.

    Raises:
        ValueError: there are no curves, or epochs and values differ in length.
    """
    groups = _panels(history)
    columns = min(3, len(groups))
    rows = math.ceil(len(groups) / columns)
    figure = new_figure(4.2 * columns, 3.1 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for (title, curves), panel in zip(groups.items(), axes, strict=False):
        _plot_quantity(panel, title, curves)
    for empty in axes[len(groups) :]:
        empty.set_axis_off()
    figure.suptitle("Training")
    return save(figure, path)


def plot_history(rows: Sequence[Mapping[str, float]], path: str | Path) -> Path:
    """Plot the losses of a run and the parts of its bound, on held-out samples or, if there are none, in training.

    Args:
        rows: of `pyro_mmvae.training.History`, metrics by name such as `val/kl|image`, one mapping for each epoch.
        path: where the image goes.

    Returns:
        The path.

    Raises:
        ValueError: no epoch has been trained.
    """
    if not rows:
        raise ValueError("expected the history of at least one epoch, got none")
    stage = "val/" if "val/loss" in rows[-1] else "train/"
    names = [n for n in rows[-1] if n in ("train/loss", "val/loss") or (n.startswith(stage) and "|" in n)]
    curves = {name: [(float(i), row[name]) for i, row in enumerate(rows) if name in row] for name in names}
    return plot_training({_title(n): ([e for e, _ in c], [v for _, v in c]) for n, c in curves.items()}, path)


def _title(name: str) -> str:
    """Name a curve so that those of one quantity share a panel: `val/kl|image` becomes `q(z|image)/kl`."""
    stage, quantity = name.split("/", 1)
    kind, bar, given = quantity.partition("|")
    return f"q(z|{given})/{kind.replace('/', ' ')}" if bar else f"{stage}/{quantity}"


def _panels(history: History) -> dict[str, History]:
    """Group the curves by the quantity after the slash."""
    groups: dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]] = defaultdict(dict)
    for name, (epochs, values) in history.items():
        if len(epochs) != len(values) or len(epochs) == 0:
            raise ValueError(f"expected as many epochs as values, got {len(epochs)} and {len(values)} of {name!r}")
        curve, slash, quantity = name.partition("/")
        groups[quantity if slash else name][curve if slash else ""] = (epochs, values)
    if not groups:
        raise ValueError("expected at least one curve, got none")
    return dict(groups)


def _plot_quantity(axes: Axes, title: str, curves: History) -> None:
    for (label, (epochs, values)), colour in zip(curves.items(), curve_colours(len(curves)), strict=True):
        marker = "o" if len(epochs) < 15 else ""
        axes.plot(epochs, values, color=colour, label=label or None, marker=marker, markersize=3.5)
    axes.set(xlabel="epoch", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.4)
    if any(curves):
        axes.legend(frameon=False, fontsize=9)
