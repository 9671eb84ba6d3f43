"""Figures of a run with faces and attributes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import torch
from torch import Tensor

from pyro_mmvae import Batch, Loss
from pyro_mmvae.distributions.hierarchical import draws
from pyro_mmvae.estimators import seeded
from pyro_mmvae.experiments.celeba.data import FaceData
from pyro_mmvae.faces.attributes import DISTINCTIVE, in_words
from pyro_mmvae.faces.dataset import ATTRIBUTES, IMAGE
from pyro_mmvae.plots import plot_history, plot_images
from pyro_mmvae.table import singles_and_all
from pyro_mmvae.training import History

SHOWN, DRAWN = 10, 8
TURNED = ("Male", "Eyeglasses", "Wearing_Hat", "Smiling", "Bangs", "Blond_Hair", "Black_Hair", "Pale_Skin")
"""Attributes that are switched off and on in a figure."""


def draw_figures(loss: Loss, data: FaceData, seed: int, folder: Path, history: History | None) -> None:
    """Draw reconstructions, pictures made from attributes, attributes that are switched on, and training curves."""
    shown = next(iter(data.judged()))[:SHOWN].to(loss.model.device)
    plot_reconstructions(loss, shown, folder / "reconstructions.png")
    if ATTRIBUTES in loss.guide.inputs:
        plot_from_attributes(loss, shown[:5], seed, folder / "attributes_to_image.png")
        plot_switched(loss, shown[:5], folder / "switched_attributes.png")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


@torch.no_grad()
def plot_reconstructions(loss: Loss, shown: Batch, path: Path) -> Path:
    """Show pictures, and what is decoded at the points of the posteriors of subsets."""
    rows = {"picture": shown.data[IMAGE]}
    for subset in singles_and_all(loss.guide.inputs):
        point = loss.guide.point(shown.given(subset))
        rows[f"from {'both' if len(subset) > 1 else subset[0]}"] = loss.model.predict(point, IMAGE)
    return plot_images(rows, path, "Pictures, and expected pictures at points of posteriors")


@torch.no_grad()
def plot_from_attributes(loss: Loss, shown: Batch, seed: int, path: Path) -> Path:
    """Show faces, and expected pictures for draws from the posterior of their attributes alone."""
    given = shown.given([ATTRIBUTES])
    with seeded(seed, loss.model.device):
        latent, _ = draws(loss.guide.posterior(given), (DRAWN,))
    made = loss.model.predict(latent, IMAGE).transpose(0, 1)
    rows = {
        words_of(attributes): torch.cat([true[None], pictures])
        for true, pictures, attributes in zip(shown.data[IMAGE], made, shown.data[ATTRIBUTES], strict=True)
    }
    return plot_images(rows, path, "A face, and expected pictures for draws from q(z | its attributes)")


@torch.no_grad()
def plot_switched(loss: Loss, shown: Batch, path: Path) -> Path:
    """Show what changes in the picture at the point of q(z | attributes) when one attribute is switched off and on."""
    rows = {}
    for name in TURNED:
        both = []
        for value in (0.0, 1.0):
            attributes = shown.data[ATTRIBUTES].clone()
            attributes[:, DISTINCTIVE.index(name)] = value
            batch = Batch.of({ATTRIBUTES: attributes})
            both.append(loss.model.predict(loss.guide.point(batch), IMAGE))
        rows[f"{in_words(name)}:\nwithout, with"] = torch.stack(both, dim=1).flatten(0, 1)
    return plot_images(rows, path, "One attribute switched off and on, pictures at the point of q(z | attributes)")


def words_of(attributes: Tensor) -> str:
    """Return the attributes of a face in words."""
    words = [in_words(name) for name, there in zip(DISTINCTIVE, attributes.tolist(), strict=True) if there > 0.5]
    return textwrap.fill(", ".join(words) or "none of the 18", 26)
