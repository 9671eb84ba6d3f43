"""Figures of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyro_mmvae import Loss
from pyro_mmvae.data.gaussian_mixture import MEANS
from pyro_mmvae.plots import on_a_plane, plot_history, plot_latents, posterior_points
from pyro_mmvae.training import History

if TYPE_CHECKING:
    from pyro_mmvae.experiments.mog.experiment import MixtureData

CLASSES = [f"class {c}" for c in range(len(MEANS))]
SHOWN = 600


def draw_figures(loss: Loss, data: MixtureData, folder: Path, history: History | None) -> None:
    """Draw the data, the latent space and training curves."""
    batch, label = data.judged_batch()[:SHOWN], data.label[:SHOWN].numpy()
    seen = {f"modality {name}": values.numpy() for name, values in batch.data.items()}
    plot_latents(seen, dict.fromkeys(seen, label), CLASSES, folder / "data.png", "Data")
    points = posterior_points(loss.guide, batch)
    placed, how = on_a_plane(points)
    title = f"Latent space: posterior means ({how})"
    plot_latents(placed, dict.fromkeys(placed, label), CLASSES, folder / "latent.png", title)
    if history is not None:
        plot_history(history.rows, folder / "training.png")
