"""Make the pictures of README and docs from the demos: `python docs/pictures.py`, some 30 minutes on two cores.

Runs are kept in runs/pictures: what is finished is not run again. Pictures are stored small in docs/pictures.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

sys.path.append(str(Path(__file__).parent / "_ext"))
import alignment_picture

from pyro_mmvae import objectives
from pyro_mmvae.estimators import calibration
from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.experiments.surgical.config import Config as SurgicalConfig
from pyro_mmvae.experiments.surgical.data import SurgicalData
from pyro_mmvae.faces.synthetic import generate
from pyro_mmvae.faces.synthetic.preview import contact_sheet as faces_sheet
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.plots import plot_calibration, plot_table
from pyro_mmvae.surgical.synthetic.preview import contact_sheet as scenes_sheet
from pyro_mmvae.touch.synthetic import generate as generate_attempts
from pyro_mmvae.touch.synthetic.preview import contact_sheet as attempts_sheet

PICTURES = Path(__file__).parent / "pictures"
RUNS = Path("runs/pictures")
WIDTH, COLOURS = 1000, 128
"""Of a stored picture: pixels at most, and entries of its palette."""
THIN_LINES = {"touch.png", "touch_attempts.png"}
"""Pictures in which thin coloured lines stand beside photographs, whose colours would take up the palette."""

DEMOS: dict[str, list[str]] = {
    "rhd": ["--guide", "gpoe"],
    "surgical": ["--guide", "gpoe"],
    "mog": ["--objective", "m2vae"],
    "celeba": [],
    "transforms": [],
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
    "surgical_scenes.png": "surgical/scenes.png",
    "surgical_noise.png": "surgical/figures/noise.png",
    "surgical_sweep.png": "surgical/figures/sweep.png",
    "latents.png": "mog/figures/latent.png",
    "celeba.png": "celeba/figures/attributes_to_image.png",
    "transforms.png": "transforms/figures/to_colour.png",
    "touch.png": "touch/figures/sequence.png",
    "comparison.png": "compare/comparison-over-latent_dim.png",
}
"""Pictures, and the figures of the runs that they are."""


def table(path: Path) -> None:
    """Draw the table of the hand experiment's objective with its demo's weights."""
    targets = {"pose": 1.0, "cloud": 0.5, "heatmap": 0.25}
    plot_table(objectives.load("mvae")(["rgb", "cloud"], targets).table, path)


def scenes(run: Path) -> None:
    """Draw views of some of the scenes that a run was of."""
    config = driver.read_config(run)
    assert isinstance(config, SurgicalConfig)
    scenes_sheet(SurgicalData(config).root, run / "scenes.png", scenes=(1, 3, 5, 7))


def faces(path: Path) -> None:
    """Draw the first of the drawn faces."""
    drawn = generate(path.with_suffix(""), 16, seed=1, workers=1, progress=False)
    faces_sheet(drawn, path, rows=2)


def ranks(path: Path) -> None:
    """Draw ranks of a guide that is two thirds as wide as the exact posterior of a linear-Gaussian model."""
    truth = LinearGaussian({"camera": 4, "force": 3}, latent_dim=3)
    guide = PoE(truth.modalities(), 3).double()
    truth.set_exact_experts(guide)
    with torch.no_grad():
        for head in guide.heads.values():
            head.linear.bias[3:] += math.log(2 / 3)
    plot_calibration(calibration(truth.model(), guide, 2000, given=["camera"]), path)


def attempts(path: Path) -> None:
    """Draw some simulated insertions."""
    attempts_sheet(generate_attempts(RUNS / "attempts", 3), path, rows=3)


DRAWN: dict[str, Callable[[Path], None]] = {
    "table.png": table,
    "alignment.png": alignment_picture.draw,
    "faces.png": faces,
    "calibration.png": ranks,
    "touch_attempts.png": attempts,
}
"""Pictures that need no run."""


def main() -> None:
    """Run what is missing, and store every picture."""
    for name, words in DEMOS.items():
        if not (RUNS / name / "metrics.json").exists():
            driver.main(name, [*words, "--out", str(RUNS / name)])
    scenes(RUNS / "surgical")
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
