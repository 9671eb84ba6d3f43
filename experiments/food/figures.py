"""Figures of a run of the food experiment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pyro_mmvae.experiments.food.evaluation import INGREDIENTS, LOWER, Judged
from pyro_mmvae.plots import on_a_plane, plot_history
from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save, show_image
from pyro_mmvae.training import History

SHOWN = 8
MARKERS = ("^", "o", "x")


def draw_figures(
    judged: Judged,
    points: Mapping[str, np.ndarray],
    near: Mapping[str, Mapping[str, float]],
    shown: Tensor,
    seed: int,
    folder: Path,
    history: History | None,
) -> None:
    """Draw predictions, latent map, F1 by frequency and training curves."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_plates(judged, shown, folder / "plates.png")
    plot_frequency(judged.by_frequency(), folder / "frequency.png")
    plot_map(points, near, seed, folder / "latent.png")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


def plot_plates(judged: Judged, shown: Tensor, path: Path) -> Path:
    """Show pictures with the true ingredients, and those that each branch predicts; wrong ones in brackets."""
    count = min(SHOWN, len(shown))
    columns = min(4, count)
    rows = -(-count // columns)
    figure = new_figure(3.3 * columns, 5.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    pictured = [name for name in judged.found if name not in (LOWER, INGREDIENTS)]
    for panel in panels[count:]:
        panel.set_axis_off()
    for number, panel in enumerate(panels[:count]):
        show_image(panel, shown[number].numpy())
        panel.set_anchor("N")  # room is for the text below
        true = judged.true[number] > 0.5
        lines = [f"true: {', '.join(_names(judged, true))}"]
        for name in pictured:
            said = judged.found[name][number] > judged.thresholds[name]
            words = [f"({w})" * (not t) + w * bool(t) for w, t in zip(_names(judged, said), true[said], strict=True)]
            lines.append(f"{name}: {', '.join(words) or 'nothing'}")
        text = "\n\n".join(textwrap.fill(line, 44) for line in lines)
        panel.set_xlabel(text, loc="left", fontsize=7)
    figure.suptitle("True and predicted ingredients (wrong ones in brackets)")
    return save(figure, path)


def _names(judged: Judged, chosen: Any) -> list[str]:
    return [judged.names[i] for i in chosen.nonzero().flatten().tolist()]


def plot_frequency(found: Mapping[str, Any], path: Path) -> Path:
    """Draw F1 over how frequent ingredients are."""
    figure = new_figure(6.5, 4)
    axes = figure.subplots()
    for (name, values), colour in zip(found["f1"].items(), CURVE_COLOURS, strict=False):
        axes.plot(found["share"], values, marker="o", color=colour, label=name)
    axes.set(xscale="log", ylim=(0, 1), xlabel="share of training recipes with the ingredient", ylabel="F1")
    axes.set_title("F1 by ingredient, averaged over groups of equally many")
    axes.legend(frameon=False)
    return save(figure, path)


def plot_map(points: Mapping[str, np.ndarray], near: Mapping[str, Mapping[str, float]], seed: int, path: Path) -> Path:
    """Lay the points of all branches on one plane, with how near they are to the ingredients' in the legend."""
    placed, how = on_a_plane(points, seed)
    figure = new_figure(7, 6)
    axes = figure.subplots()
    for (name, value), marker, colour in zip(placed.items(), MARKERS, CURVE_COLOURS, strict=False):
        label = name
        if name in near:
            label += f": distance {near[name]['distance']:.2f}, neighbours {near[name]['neighbours']:.0%}"
        axes.scatter(
            value[:, 0], value[:, 1], s=14, marker=marker, color=colour, label=label, alpha=0.7, linewidths=0.8
        )
    axes.set(xticks=[], yticks=[], title=f"Points of pictures and ingredients ({how})")
    figure.legend(loc="outside lower center", frameon=False)
    return save(figure, path)
