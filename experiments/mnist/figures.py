"""Figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Guide, Loss, MultimodalVAE
from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.experiments.common.latents import on_a_plane, plot_latents
from pyro_mmvae.experiments.mnist.build import IMAGE, LABEL
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.plots import plot_training
from pyro_mmvae.plots.style import as_array, panels, save, show_image
from pyro_mmvae.training import History

SHOWN = 10
MAPPED = 400
CLOTHES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def draw_figures(
    config: Config, loss: Loss, made: Tensor | None, data: MnistData, history: History, folder: Path
) -> None:
    """Draw latent maps, reconstructions, images made from labels and training curves."""
    names, batch = class_names(config.dataset), data.test_batch(MAPPED)
    inputs = loss.guide.inputs
    subsets = [(name,) for name in inputs] + ([inputs] if len(inputs) > 1 else [])
    plot_latent_maps(loss.model, loss.guide, batch, subsets, names, folder / "latent.png", config.seed)
    plot_reconstructions(loss.model, loss.guide, batch, subsets, folder / "reconstructions.png")
    if made is not None:
        plot_label_to_image(made, names, folder / "label_to_image.png")
    plot_curves(history, folder / "training.png")


def class_names(dataset: str | None) -> list[str]:
    """Return what the labels 0 to 9 mean."""
    return CLOTHES if dataset == "fashion" else [str(digit) for digit in range(CLASSES)]


def plot_grid(rows: Mapping[str, Tensor], path: Path, title: str) -> Path:
    """Show images in rows.

    Args:
        rows: values in [0, 1] by name, shapes `(N, 784)` with one N.
        path: where the image goes.
        title: of the figure.
    """
    count = len(next(iter(rows.values())))
    figure, axes = panels(list(rows), count, size=0.75)
    for images, line in zip(rows.values(), axes, strict=True):
        for image, panel in zip(images, line, strict=True):
            show_image(panel, 1 - as_array(image).reshape(1, SIDE, SIDE).repeat(3, 0))
    figure.suptitle(title)
    return save(figure, path)


def plot_label_to_image(made: Tensor, names: Sequence[str], path: Path) -> Path:
    """Show images made from labels, shape `(classes, draws, 784)`, a row for each label."""
    rows = {name: images[:SHOWN] for name, images in zip(names, made, strict=True)}
    return plot_grid(rows, path, "Expected images, z drawn from q(z | label)")


@torch.no_grad()
def plot_reconstructions(
    model: MultimodalVAE, guide: Guide, batch: Batch, subsets: Sequence[tuple[str, ...]], path: Path
) -> Path:
    """Show images, and what is decoded at the mean of the posteriors of subsets."""
    device = next(model.parameters()).device
    shown = batch[:SHOWN].to(device)
    rows = {"image": shown.data[IMAGE].cpu()}
    for subset in subsets:
        decoded = model.predict(guide.point(shown.given(subset)), IMAGE)
        rows[f"from {'both' if len(subset) > 1 else subset[0]}"] = decoded.cpu()
    return plot_grid(rows, path, "Test images, and expected images at posterior means")


@torch.no_grad()
def plot_latent_maps(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    subsets: Sequence[tuple[str, ...]],
    names: list[str],
    path: Path,
    seed: int = 0,
) -> Path:
    """Map posterior means of test images, and draws from the labels' posteriors, whose means are but ten points."""
    device = next(model.parameters()).device
    shown = batch[:MAPPED].to(device)
    classes = shown.data[LABEL].argmax(-1).cpu()
    points = {_title(s): guide.point(shown.given(s)).cpu().numpy() for s in subsets if s != (LABEL,)}
    kinds = dict.fromkeys(points, classes.numpy())
    if (LABEL,) in subsets:
        each = Batch.of({LABEL: one_hot(torch.arange(CLASSES), CLASSES).float()}).to(device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            drawn = guide.posterior(each).sample((MAPPED // CLASSES,))
        points["draws from q(z | label)"] = drawn.flatten(0, 1).cpu().numpy()
        kinds["draws from q(z | label)"] = torch.arange(CLASSES).repeat(MAPPED // CLASSES).numpy()
    placed, how = on_a_plane(points, seed)
    return plot_latents(placed, kinds, names, path, f"Latent space ({how})")


def _title(subset: tuple[str, ...]) -> str:
    return f"means of q(z | {', '.join(subset)})"


def plot_curves(history: History, path: Path) -> Path:
    """Plot losses and the parts of the bound on held-out samples, or on training samples if none were held out."""
    last = history.rows[-1]
    stage = "val/" if "val/loss" in last else "train/"
    names = [n for n in last if n in ("train/loss", "val/loss") or (n.startswith(stage) and "|" in n)]
    return plot_training({_panel(name): history.series(name) for name in names}, path)


def _panel(name: str) -> str:
    """Name a curve so that those of one quantity share a panel: `val/kl|image` becomes `image/kl`."""
    stage, quantity = name.split("/", 1)
    kind, bar, given = quantity.partition("|")
    return f"q(z|{given})/{kind.replace('/', ' ')}" if bar else f"{stage}/{quantity}"
