"""Figures of a run with six pictures of a face."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pyro_mmvae import Batch, Loss
from pyro_mmvae.experiments.celeba.data import FaceData
from pyro_mmvae.experiments.transforms.evaluation import ALL
from pyro_mmvae.faces.transformed import CHANNELS, COLOUR, EDGES, GREY, LANDMARKS, MASKED, WATERMARK
from pyro_mmvae.plots import plot_history, plot_images
from pyro_mmvae.plots.matrices import plot_matrices
from pyro_mmvae.training import History

SHOWN = 10
GROWING = (LANDMARKS, EDGES, MASKED, GREY, WATERMARK, COLOUR)
"""The order in which inputs are added in a figure."""


def draw_figures(loss: Loss, data: FaceData, metrics: Mapping[str, Any], folder: Path, history: History | None) -> None:
    """Draw what is decoded from what, the matrices, and training curves."""
    shown = next(iter(data.judged()))[:SHOWN].to(loss.model.device)
    inputs = loss.guide.inputs
    if COLOUR in inputs:
        plot_from_colour(loss, shown, folder / "from_colour.png")
    plot_to_colour(
        loss, shown, [name for name in (GREY, MASKED, WATERMARK) if name in inputs], folder / "to_colour.png"
    )
    plot_growing(loss, shown, [name for name in GROWING if name in inputs], folder / "subsets.png")
    titles = {"PSNR, dB": metrics["psnr"], "SSIM": metrics["ssim"]}
    if metrics["log_likelihood"] is not None:
        found = metrics["log_likelihood"]
        for title, key in (("log p(target | given), nats", "mean"), ("share of k-hats > 0.7", "khat_over_0.7")):
            titles[title] = {given: {t: s[key] for t, s in row.items()} for given, row in found.items()}
    plot_matrices(titles, folder / "matrices.png", f"Decoded pictures by what is given ({ALL}: all six)")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


@torch.no_grad()
def plot_from_colour(loss: Loss, shown: Batch, path: Path) -> Path:
    """Show all six pictures, and what is decoded from the coloured one (Fig. 6a of the set VAE's paper)."""
    point = loss.guide.point(shown.given([COLOUR]))
    rows = {}
    for name in CHANNELS:
        rows[name] = shown.data[name]
        rows[f"{name}, decoded"] = loss.model.predict(point, name)
    return plot_images(rows, path, "Six pictures of a face, and what is decoded from the coloured one", size=0.75)


@torch.no_grad()
def plot_to_colour(loss: Loss, shown: Batch, given: list[str], path: Path) -> Path:
    """Show inputs, and the coloured picture decoded from them (Fig. 6b-d of the set VAE's paper)."""
    rows = {"colour, true": shown.data[COLOUR]}
    for name in given:
        rows[name] = shown.data[name]
        rows[f"from {name}"] = loss.model.predict(loss.guide.point(shown.given([name])), COLOUR)
    return plot_images(rows, path, "The coloured picture from others", size=0.75)


@torch.no_grad()
def plot_growing(loss: Loss, shown: Batch, order: list[str], path: Path) -> Path:
    """Show the coloured picture as more and more is seen."""
    rows = {"colour, true": shown.data[COLOUR]}
    for count in range(1, len(order) + 1):
        point = loss.guide.point(shown.given(order[:count]))
        rows[f"from {order[0]}" if count == 1 else f"and {order[count - 1]}"] = loss.model.predict(point, COLOUR)
    return plot_images(rows, path, "The coloured picture as more is seen", size=0.75)
