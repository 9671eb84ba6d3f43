"""Figures of a run of the touch experiment."""

from __future__ import annotations

from pathlib import Path

import torch

from pyro_mmvae import Loss
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.touch.data import TouchData
from pyro_mmvae.experiments.touch.evaluation import JOINT, MEAN, TOUCH, Judged, decoded, subsets
from pyro_mmvae.plots import plot_history
from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save
from pyro_mmvae.touch.layout import ACTION, DEPTH, FORCE, RGB
from pyro_mmvae.touch.plots import Strip, plot_sequence
from pyro_mmvae.training import History

SHOWN = 9
"""Steps of an attempt that are shown."""
NAMES = {TOUCH: "from force\nand action", ACTION: "from action", JOINT: "from all"}


def draw_figures(loss: Loss, data: TouchData, judged: Judged, folder: Path, history: History | None) -> None:
    """Draw an attempt as it was and as it is seen from touch, errors along attempts, and training curves."""
    plot_attempt(loss, data, judged, folder / "sequence.png")
    plot_along(judged, folder / "along.png")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


def plot_attempt(loss: Loss, data: TouchData, judged: Judged, path: Path) -> Path:
    """Draw the judged attempt in which the force along the peg changes most, after Fig. 7 of the set VAE's paper."""
    rows = [torch.nonzero(judged.attempt == number).flatten() for number in judged.attempt.unique()]
    forces = [data.truth.batch(Draws(part)).data[FORCE].mean(-1) for part in rows]
    chosen = rows[max(range(len(rows)), key=lambda i: float(forces[i][:, 2].std()))]
    shown = chosen[torch.linspace(0, len(chosen) - 1, min(SHOWN, len(chosen))).round().long()]
    batch, truth = data.samples.batch(Draws(shown)), data.truth.batch(Draws(shown))
    found = decoded(loss, batch)
    names = [name for name in NAMES if name in subsets(loss)]
    colours = {"seen": truth.data[RGB], **{NAMES[n]: found[n][RGB] for n in names}}
    depths = {"depth seen": truth.data[DEPTH], **{NAMES[n]: found[n][DEPTH] for n in names if n != ACTION}}
    whole = data.truth.batch(Draws(chosen))
    psnr = {NAMES[n].replace("\n", " "): judged.errors[n].psnr[chosen] for n in names}
    psnr["mean picture"] = judged.errors[MEAN].psnr[chosen]
    return plot_sequence(Strip(colours, depths, whole.data[FORCE], psnr, judged.step[shown].tolist()), path)


def plot_along(judged: Judged, path: Path) -> Path:
    """Draw the mean PSNR of every step of an attempt."""
    figure = new_figure(6.5, 4)
    axes = figure.subplots()
    found = judged.along()
    for (name, values), colour in zip(found["psnr"].items(), CURVE_COLOURS, strict=False):
        axes.plot(found["step"], values, color=colour, label=name.replace("_", " "))
    axes.set(xlabel="step of the attempt", ylabel="PSNR of the picture, dB")
    axes.legend(frameon=False)
    return save(figure, path)
