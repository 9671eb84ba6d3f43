"""Maps of latent spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.plots.style import new_figure, save
from pyro_mmvae.table import Subset, singles_and_all

Floats = NDArray[np.floating]
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#E69F00", "#F0E442", "#000000", "#8B5A2B", "#999999"),
)
"""Okabe and Ito's palette, which colour-blind readers can tell apart, and two more."""


@torch.no_grad()
def posterior_points(guide: Guide, batch: Batch, subsets: Sequence[Subset] | None = None) -> dict[str, Floats]:
    """Return points of posteriors (`Guide.point`), shapes `(B, D)`, by what they look at, e.g. `q(z | image, label)`.

    Args:
        guide: its parameters' device is where they are computed.
        batch: B samples.
        subsets: every input alone and all of them together, if left out.
    """
    shown = batch.to(next(guide.parameters()).device)
    chosen = singles_and_all(guide.inputs) if subsets is None else subsets
    return {f"q(z | {', '.join(s)})": guide.point(shown.given(s)).cpu().numpy() for s in chosen}


def on_a_plane(points: Mapping[str, Floats], seed: int = 0) -> tuple[dict[str, Floats], str]:
    """Return groups of latent points (N, D) in two dimensions, and what was done to them.

    Two dimensions are kept; more are embedded by scikit-learn's t-SNE (van der Maaten and Hinton 2008), all groups at
    once, so that the maps can be laid over each other.
    """
    together = np.concatenate(list(points.values()))
    if together.shape[1] == 1:
        together, how = np.concatenate([together, np.zeros_like(together)], axis=1), "the latent dimension"
    elif together.shape[1] == 2:
        how = "the two latent dimensions"
    else:
        from sklearn.manifold import TSNE  # late: it takes a second to import

        perplexity = min(30.0, (len(together) - 1) / 3)
        together, how = TSNE(perplexity=perplexity, random_state=seed).fit_transform(together), "t-SNE"
    parts = np.split(together, np.cumsum([len(value) for value in points.values()])[:-1])
    return dict(zip(points, parts, strict=True)), how


def plot_latents(
    points: Mapping[str, Floats], classes: Mapping[str, NDArray[np.integer]], names: list[str], path: Path, title: str
) -> Path:
    """Plot groups of points on a plane, a panel each, coloured by class.

    Args:
        points: shapes `(N, 2)`, by title of the panel.
        classes: shapes `(N,)`, of the same.
        names: of the classes, ten at most.
        path: where the image goes.
        title: of the figure.

    Returns:
        The path.

    Raises:
        ValueError: more classes than colours.
    """
    if len(names) > len(COLOURS):
        raise ValueError(f"expected {len(COLOURS)} classes at most, got {len(names)}")
    figure = new_figure(4 * len(points), 4.6)
    axes = figure.subplots(1, len(points), sharex=True, sharey=True, squeeze=False)[0]
    colours = ListedColormap(COLOURS[: len(names)])
    for panel, (name, value) in zip(axes, points.items(), strict=True):
        shown = panel.scatter(*value.T, c=classes[name], cmap=colours, vmin=-0.5, vmax=len(names) - 0.5, s=9, lw=0)
        panel.set(title=name, xticks=[], yticks=[], aspect="equal")
    handles = [shown.legend_elements(num=range(len(names)))[0][i] for i in range(len(names))]
    columns = min(len(names), 5 * len(points))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False, handletextpad=0.1)
    figure.suptitle(title)
    return save(figure, path)
