"""Figures of the experiment with entangled sets."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pyro_mmvae import Loss
from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.experiments.entangled.autoencoders import NAMES, unimodal_set
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.data import PairData
from pyro_mmvae.plots import on_a_plane, plot_grey_images, plot_history, plot_latents, posterior_points
from pyro_mmvae.training import History

SHOWN, MAPPED = 12, 500
CLASS_NAMES = [str(number) for number in range(CLASSES)]


def draw_figures(config: Config, loss: Loss, data: PairData, folder: Path, history: History | None) -> None:
    """Draw pairs, latents of the autoencoders and of the model, and training curves."""
    plot_pairs(config, data, folder / "pairs.png")
    _plot_autoencoders(config, data, folder / "autoencoders.png")
    points = posterior_points(loss.guide, data.pairs.as_batch()[:MAPPED])
    placed, how = on_a_plane(points, config.seed)
    labels = dict.fromkeys(placed, data.pairs.label[:MAPPED].numpy())
    title = f"{config.objective} on {config.pairs} pairs: posterior means ({how})"
    plot_latents(placed, labels, CLASS_NAMES, folder / "latent.png", title)
    if history is not None:
        plot_history(history.rows, folder / "training.png")


@torch.no_grad()
def plot_pairs(config: Config, data: PairData, path: Path) -> Path:
    """Show expected images of pairs of the two largest classes, in the order of a's first latent coordinate.

    In an entangled set both images follow it.
    """
    pairs, (first, second) = data.pairs, data.autoencoders
    rows: dict[str, Tensor] = {}
    for label in pairs.label.bincount(minlength=CLASSES).topk(2).indices.tolist():
        there = (pairs.label == label).nonzero().flatten()
        order = there[pairs.z_a[there, 0].argsort()]
        chosen = order[torch.linspace(0, len(order) - 1, SHOWN).long()]
        same = pairs.label[chosen]
        images = first.probabilities(pairs.z_a[chosen], same), second.probabilities(pairs.z_b[chosen], same)
        rows |= {f"{label}: {n}": x.unflatten(-1, (SIDE, SIDE)) for n, x in zip(NAMES, images, strict=True)}
    title = f"Expected images of {config.pairs} pairs of a class, in the order of a's first latent coordinate"
    return plot_grey_images(rows, path, title, size=0.7, upright=True)


@torch.no_grad()
def _plot_autoencoders(config: Config, data: PairData, path: Path) -> Path:
    means, labels = {}, {}
    for name, model in zip(NAMES, data.autoencoders, strict=True):
        images, shown = (part[:MAPPED] for part in unimodal_set(config, name))
        loc, _ = model.infer(images.flatten(1).float() / 255, shown)
        means[f"autoencoder of {name}"], labels[f"autoencoder of {name}"] = loc.numpy(), shown.numpy()
    placed, how = on_a_plane(means)
    return plot_latents(placed, labels, CLASS_NAMES, path, f"Autoencoders: means of q(z | x, class) ({how})")
