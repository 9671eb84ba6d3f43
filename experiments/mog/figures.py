"""Figures of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pyro_mmvae import Loss
from pyro_mmvae.data.gaussian_mixture import MEANS
from pyro_mmvae.experiments.common.latents import COLOURS, on_a_plane
from pyro_mmvae.experiments.mog.build import NAMES
from pyro_mmvae.experiments.mog.data import MixtureData
from pyro_mmvae.plots.style import new_figure, save

SUBSETS = (NAMES[:1], NAMES[1:], NAMES)
SHOWN = 600


def draw_figures(losses: Mapping[str, Loss], data: MixtureData, folder: Path) -> None:
    """Draw the data, and the latent space of every model side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_data(data, folder / "data.png")
    plot_latents(losses, data, folder / "latent.png")


def plot_data(data: MixtureData, path: Path) -> Path:
    """Plot both modalities, coloured by class."""
    figure = new_figure(8, 4.6)
    axes = figure.subplots(1, 2)
    for panel, name in zip(axes, NAMES, strict=True):
        _scatter(panel, data.test.data[name][:SHOWN].numpy(), data.label[:SHOWN].numpy(), f"modality {name}")
    _legend(figure, axes[0])
    return save(figure, path)


@torch.no_grad()
def plot_latents(losses: Mapping[str, Loss], data: MixtureData, path: Path) -> Path:
    """Plot posterior means, a row for each objective and a column for each subset, coloured by class."""
    figure = new_figure(3.3 * len(SUBSETS), 3.3 * len(losses) + 0.8)
    axes = figure.subplots(len(losses), len(SUBSETS), squeeze=False, sharex="row", sharey="row")
    label = data.label[:SHOWN].numpy()
    for row, (objective, loss) in zip(axes, losses.items(), strict=True):
        batch = data.test[:SHOWN].to(next(loss.parameters()).device)
        means = {f"q(z | {', '.join(s)})": loss.guide.point(batch.given(s)).cpu().numpy() for s in SUBSETS}
        placed, _ = on_a_plane(means)
        for panel, (title, points) in zip(row, placed.items(), strict=True):
            _scatter(panel, points, label, f"{objective}: means of {title}")
    _legend(figure, axes[0, 0])
    return save(figure, path)


def _scatter(panel: Axes, points: np.ndarray, label: np.ndarray, title: str) -> None:
    colours = ListedColormap(COLOURS[: len(MEANS)])
    panel.scatter(
        points[:, 0], points[:, 1], c=label, cmap=colours, vmin=-0.5, vmax=len(MEANS) - 0.5, s=9, lw=0, alpha=0.7
    )
    panel.set_title(title, fontsize=10)
    panel.set_aspect("equal")


def _legend(figure: Figure, panel: Axes) -> None:
    handles = [panel.scatter([], [], color=COLOURS[c], s=20) for c in range(len(MEANS))]
    names = [f"class {c}" for c in range(len(MEANS))]
    figure.legend(handles, names, loc="outside lower center", ncols=len(MEANS), frameon=False)
