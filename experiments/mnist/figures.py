"""Figures of a run with images and labels."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pyro_mmvae import Batch, Guide, Loss
from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.data.labelled_samples import IMAGE, LABEL
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.experiments.mnist.labels import draws_of_labels
from pyro_mmvae.plots import on_a_plane, plot_grey_images, plot_history, plot_latents, posterior_points
from pyro_mmvae.table import singles_and_all
from pyro_mmvae.training import History

SHOWN, MAPPED = 10, 400
CLOTHES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def draw_figures(
    config: Config, loss: Loss, data: MnistData, made: Tensor | None, folder: Path, history: History | None
) -> None:
    """Draw latent maps, reconstructions, images made from labels and training curves."""
    names = CLOTHES if config.dataset == "fashion" else [str(digit) for digit in range(CLASSES)]
    batch = data.judged_batch(MAPPED)
    plot_latent_maps(loss.guide, batch, names, folder / "latent.png", config.seed)
    plot_reconstructions(loss, batch[:SHOWN], folder / "reconstructions.png")
    if made is not None:
        rows = {name: _square(images[:SHOWN]) for name, images in zip(names, made, strict=True)}
        plot_grey_images(rows, folder / "label_to_image.png", "Expected images, z drawn from q(z | label)")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


def _square(images: Tensor) -> Tensor:
    return images.unflatten(-1, (SIDE, SIDE)).cpu()


@torch.no_grad()
def plot_reconstructions(loss: Loss, batch: Batch, path: Path) -> Path:
    """Show images, and what is decoded at the points of the posteriors of subsets."""
    shown = batch.to(next(loss.parameters()).device)
    rows = {"image": _square(shown.data[IMAGE])}
    for subset in singles_and_all(loss.guide.inputs):
        point = loss.guide.point(shown.given(subset))
        rows[f"from {'both' if len(subset) > 1 else subset[0]}"] = _square(loss.model.predict(point, IMAGE))
    return plot_grey_images(rows, path, "Images, and expected images at points of posteriors")


def plot_latent_maps(guide: Guide, batch: Batch, names: list[str], path: Path, seed: int) -> Path:
    """Map posterior means, and draws from the labels' posteriors, whose means are but ten points."""
    subsets = [subset for subset in singles_and_all(guide.inputs) if subset != (LABEL,)]
    points = {f"means of {name}": value for name, value in posterior_points(guide, batch, subsets).items()}
    kinds = dict.fromkeys(points, batch.data[LABEL].argmax(-1).numpy())
    if LABEL in guide.inputs:
        draws = MAPPED // CLASSES
        points["draws from q(z | label)"] = draws_of_labels(guide, draws, seed).flatten(0, 1).cpu().numpy()
        kinds["draws from q(z | label)"] = torch.arange(CLASSES).repeat(draws).numpy()
    placed, how = on_a_plane(points, seed)
    return plot_latents(placed, kinds, names, path, f"Latent space ({how})")
