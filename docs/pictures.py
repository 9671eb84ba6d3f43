"""Make the pictures of README and docs from the demos: `python docs/pictures.py`, some 20 minutes on two cores.

Runs are kept in runs/pictures: what is finished is not run again. Pictures are stored small in docs/pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

sys.path.append(str(Path(__file__).parent / "_ext"))
import alignment_picture

from pyro_mmvae import objectives
from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.plots import plot_table
from pyro_mmvae.touch.synthetic import generate
from pyro_mmvae.touch.synthetic.preview import contact_sheet

PICTURES = Path(__file__).parent / "pictures"
RUNS = Path("runs/pictures")
WIDTH, COLOURS = 1000, 128
"""Of a stored picture: pixels at most, and entries of its palette."""
THIN_LINES = {"touch.png", "touch_attempts.png"}
"""Pictures in which thin coloured lines stand beside photographs, whose colours would take up the palette."""

DEMOS: dict[str, list[str]] = {
    "rhd": ["--guide", "gpoe"],
    "mog": ["--objective", "m2vae"],
    "touch": [],
}
"""Experiments with their options."""
COMPARISON = [
    *("--experiment", "mog", "--guides", "poe", "moe_moments", "--objectives", "mvae"),
    *("--vary", "latent_dim", "1", "2", "4", "--seeds", "3", "--epochs", "10"),
]
"""Of the comparison."""
FIGURES = {
    "hands.png": "rhd/figures/skeletons.png",
    "pck.png": "rhd/figures/pck.png",
    "latents.png": "mog/figures/latent.png",
    "touch.png": "touch/figures/sequence.png",
    "comparison.png": "compare/comparison-over-latent_dim.png",
}
"""Pictures, and the figures of the runs that they are."""


def table(path: Path) -> None:
    """Draw the table of the hand experiment's objective with its demo's weights."""
    targets = {"pose": 1.0, "cloud": 0.5, "heatmap": 0.25}
    plot_table(objectives.load("mvae")(["rgb", "cloud"], targets).table, path)


def attempts(path: Path) -> None:
    """Draw some simulated insertions."""
    contact_sheet(generate(RUNS / "attempts", 3), path, rows=3)


DRAWN: dict[str, Callable[[Path], None]] = {
    "table.png": table,
    "alignment.png": alignment_picture.draw,
    "touch_attempts.png": attempts,
}
"""Pictures that need no run."""


def main() -> None:
    """Run what is missing, and store every picture."""
    for name, words in DEMOS.items():
        if not (RUNS / name / "metrics.json").exists():
            driver.main(name, [*words, "--out", str(RUNS / name)])
    compare([*COMPARISON, "--out", str(RUNS / "compare")])
    for name, draw in DRAWN.items():
        draw(RUNS / name)
        store(RUNS / name, PICTURES / name)
    for name, figure in FIGURES.items():
        store(RUNS / figure, PICTURES / name)


def store(figure: Path, picture: Path) -> None:
    """Store a figure small: at most `WIDTH` pixels wide, in a palette of its own."""
    picture.parent.mkdir(exist_ok=True)
    with Image.open(figure) as image:
        shown = image.convert("RGB")
    if shown.width > WIDTH:
        shown = shown.resize((WIDTH, round(shown.height * WIDTH / shown.width)), Image.Resampling.LANCZOS)
    method = Image.Quantize.MAXCOVERAGE if picture.name in THIN_LINES else Image.Quantize.MEDIANCUT
    shown.quantize(2 * COLOURS if picture.name in THIN_LINES else COLOURS, method).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1024:.0f} KiB", file=sys.stderr)


if __name__ == "__main__":
    main()
