"""Figures of the experiment with entangled sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pyro_mmvae import Loss
from pyro_mmvae.data.labelled_images import CLASSES, SIDE, LabelledImages
from pyro_mmvae.experiments.common.latents import on_a_plane, plot_latents
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.cvae import ConditionalVAE
from pyro_mmvae.experiments.entangled.data import NAMES, Pairs
from pyro_mmvae.plots.style import as_array, panels, save, show_image

SHOWN, MAPPED = 12, 500


@torch.no_grad()
def draw_figures(
    config: Config,
    images: Sequence[LabelledImages],
    autoencoders: Sequence[ConditionalVAE],
    tests: Mapping[str, Pairs],
    losses: Mapping[tuple[str, str], Loss],
) -> None:
    """Draw pairs of both sets, latents of the autoencoders, and latents of every trained model."""
    folder = config.run / "figures"
    plot_pairs(tests, autoencoders, folder / "pairs.png")
    classes = [str(c) for c in range(CLASSES)]
    _plot_autoencoders(images, autoencoders, classes, folder / "autoencoders.png")
    for (kind, objective), loss in losses.items():
        pairs = tests[kind]
        batch = pairs.batch()[:MAPPED].to(next(loss.parameters()).device)
        subsets = [s for s in (NAMES[:1], NAMES[1:], NAMES) if set(s) <= set(loss.guide.inputs)]
        points = {f"q(z | {', '.join(s)})": loss.guide.point(batch.given(s)).cpu().numpy() for s in subsets}
        placed, how = on_a_plane(points, config.seed)
        labels = dict.fromkeys(placed, pairs.label[:MAPPED].numpy())
        title = f"{objective} on {kind} pairs: posterior means ({how})"
        plot_latents(placed, labels, classes, folder / f"latent-{kind}-{objective}.png", title)


@torch.no_grad()
def plot_pairs(tests: Mapping[str, Pairs], autoencoders: Sequence[ConditionalVAE], path: Path) -> Path:
    """Show expected images of pairs of two classes, in the order of the first image's first latent coordinate.

    In an entangled set both images follow it.
    """
    first, second = autoencoders
    rows: dict[str, Tensor] = {}
    for label in (3, 5):
        for kind, pairs in tests.items():
            there = (pairs.label == label).nonzero().flatten()
            order = there[pairs.z_a[there, 0].argsort()]
            chosen = order[torch.linspace(0, len(order) - 1, SHOWN).long()]
            same = pairs.label[chosen]
            rows[f"{label}, {kind}: a"] = first.decode(pairs.z_a[chosen], same).sigmoid()
            rows["b" + " " * len(rows)] = second.decode(pairs.z_b[chosen], same).sigmoid()
    figure, axes = panels([name.strip() for name in rows], SHOWN, size=0.7)
    for images, line in zip(rows.values(), axes, strict=True):
        for image, panel in zip(images, line, strict=True):
            show_image(panel, 1 - as_array(image).reshape(1, SIDE, SIDE).repeat(3, 0))
    for line in axes:
        line[0].texts[0].set(rotation=0, fontsize=8)
    figure.suptitle("Expected images of pairs of a class, in the order of a's first latent coordinate")
    return save(figure, path)


def _plot_autoencoders(
    images: Sequence[LabelledImages], autoencoders: Sequence[ConditionalVAE], classes: list[str], path: Path
) -> None:
    means, labels = {}, {}
    for name, part, model in zip(NAMES, images, autoencoders, strict=True):
        shown = part.take(torch.arange(min(MAPPED, len(part.labels))))
        title = f"autoencoder of {name}"
        loc, _ = model.cpu().infer(shown.images.flatten(1).float() / 255, shown.labels)
        means[title], labels[title] = loc.numpy(), shown.labels.numpy()
    placed, how = on_a_plane(means)
    plot_latents(placed, labels, classes, path, f"Conditional autoencoders: means of q(z | x, class) ({how})")
