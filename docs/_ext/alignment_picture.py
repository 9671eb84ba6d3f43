"""The picture of variational alignment: branches, mapper, and what each phase trains."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save

PLACES = {
    "x1": (0, 2),
    "E1": (1.4, 2),
    "q1": (2.8, 2),
    "D1": (4.2, 2),
    "M2": (5.6, 2),
    "VE": (2.8, 1),
    "VD": (4.2, 1),
    "x2": (0, 0),
    "E2": (1.4, 0),
    "q2": (2.8, 0),
    "D2": (4.2, 0),
    "M2 ": (5.6, 0),
}
UPPER = [("x1", "E1"), ("E1", "q1"), ("q1", "D1"), ("D1", "M2")]
LOWER = [("x2", "E2"), ("E2", "q2"), ("q2", "D2"), ("D2", "M2 ")]
MAPPED = [("q1", "VE"), ("VE", "VD"), ("VD", "D2")]
PHASES = {
    "1: both branches": ({"E1", "D1", "E2", "D2"}, [*UPPER, *LOWER]),
    "2: the mapper": ({"VE", "VD"}, [("x1", "E1"), ("E1", "q1"), *MAPPED, ("x2", "E2"), ("E2", "q2"), ("D2", "M2 ")]),
    "3: everything": ({"E1", "D1", "E2", "D2", "VE", "VD"}, [*UPPER, *LOWER, *MAPPED]),
}


def draw(path: Path) -> None:
    """Draw one panel for each phase: trained parts are filled, arrows are what is computed."""
    figure = new_figure(14, 3.2)
    for axes, (title, (trained, arrows)) in zip(figure.subplots(1, 3), PHASES.items(), strict=True):
        _draw(axes, title, trained, arrows)
    save(figure, path)


def _draw(axes: Axes, title: str, trained: set[str], arrows: list[tuple[str, str]]) -> None:
    used = {name for arrow in arrows for name in arrow}
    for begin, end in arrows:
        axes.annotate(
            "",
            PLACES[end],
            PLACES[begin],
            arrowprops={"arrowstyle": "->", "shrinkA": 17, "shrinkB": 17, "color": "0.3"},
        )
    for name, (x, y) in PLACES.items():
        network = name.strip() in {"E1", "D1", "E2", "D2", "VE", "VD"}
        face = CURVE_COLOURS[1] if name in trained else "0.85" if network else "white"
        ink = "white" if name in trained else "black" if name in used else "0.7"
        box = {"boxstyle": "round,pad=0.35" if network else "square,pad=0.3", "facecolor": face, "edgecolor": ink}
        axes.text(x, y, name.strip(), ha="center", va="center", color=ink, bbox=box)
    if "VE" in used:
        axes.annotate("", (2.8, 0.3), (4.0, 0.8), arrowprops={"arrowstyle": "<->", "linestyle": ":"})
        axes.text(3.15, 0.52, "W", fontsize=9)
    axes.set(title=title, xlim=(-0.6, 6.3), ylim=(-0.6, 2.6))
    axes.axis("off")
