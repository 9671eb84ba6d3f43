"""An objective's table as a picture: what each row looks at, and what it decodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save
from pyro_mmvae.schedules import Schedule, Weight
from pyro_mmvae.table import Alignment, Table

_SEEN, _DECODED = CURVE_COLOURS[:2]
_LARGEST = 320.0
"""Area of the largest dot, in square points."""


def plot_table(table: Table, path: str | Path) -> Path:
    """Draw a table: a line for each row, with filled dots for what it looks at and for what it decodes.

    The area of a decoded modality's dot is its weight, relative to the largest; beside the row stand the weight of the
    KL and that of the row. Alignments follow, each with the two subsets whose posteriors it compares.

    Args:
        table: of an objective, `objective.table`.
        path: file to write; its ending is the format.

    Returns:
        The path.
    """
    lines = len(table.terms) + len(table.alignments)
    seen, decoded = len(table.inputs), len(table.targets)
    figure = new_figure(1.9 + 0.8 * (seen + decoded), 1.1 + 0.36 * lines)
    axes = figure.subplots()
    _draw_rows(axes, table)
    for number, alignment in enumerate(table.alignments, len(table.terms)):
        _draw_alignment(axes, table, alignment, number)
    names = [*table.inputs, *table.targets]
    axes.set_xticks([*range(seen), *(seen + 1 + place for place in range(decoded))], names)
    axes.set(yticks=[], xlim=(-0.7, seen + decoded + 2.3), ylim=(lines - 0.4, -0.9), title=table.name)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.text((seen - 1) / 2, lines - 0.5, "looks at", ha="center", va="top", color=_SEEN)
    if decoded:
        axes.text(seen + 1 + (decoded - 1) / 2, lines - 0.5, "decodes", ha="center", va="top", color=_DECODED)
    axes.spines[:].set_visible(False)
    return save(figure, path)


def _draw_rows(axes: Axes, table: Table) -> None:
    start = len(table.inputs) + 1
    largest = max((_end(w) for term in table.terms for w in term.decode.values()), default=1.0) or 1.0
    for number, term in enumerate(table.terms):
        axes.plot([-0.5, start + len(table.targets) - 0.6], [number, number], color="0.9", linewidth=2, zorder=0)
        _dots(axes, table.inputs, term.given, number)
        areas = [_LARGEST * _end(term.decode.get(name, 0.0)) / largest for name in table.targets]
        axes.scatter([start + place for place in range(len(areas))], [number] * len(areas), areas, color=_DECODED)
        words = f"KL {_words(term.kl)}" + (f", row {_words(term.weight)}" if term.weight != 1 else "")
        axes.text(start + len(areas) - 0.4, number, words, va="center", fontsize=9)


def _draw_alignment(axes: Axes, table: Table, alignment: Alignment, number: int) -> None:
    axes.plot([-0.5, len(table.inputs) - 0.5], [number, number], color="0.9", linewidth=2, zorder=0)
    _dots(axes, table.inputs, alignment.of, number)
    name = getattr(alignment.divergence, "__name__", "D")
    words = f"{_words(alignment.weight)} {name} to q(z | {', '.join(alignment.to) or 'nothing'})"
    axes.text(len(table.inputs), number, words, va="center", fontsize=9)


def _dots(axes: Axes, names: Sequence[str], filled: Sequence[str], number: int) -> None:
    for place, name in enumerate(names):
        face = _SEEN if name in filled else "white"
        axes.scatter([place], [number], 0.6 * _LARGEST, facecolor=face, edgecolor=_SEEN)


def _end(weight: Weight) -> float:
    return weight.end if isinstance(weight, Schedule) else float(weight)


def _words(weight: Weight) -> str:
    return f"{weight.start:.3g} to {weight.end:.3g}" if isinstance(weight, Schedule) else f"{weight:.3g}"
