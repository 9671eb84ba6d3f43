"""Figures, each written to a file by one function."""

from __future__ import annotations

from pyro_mmvae.plots.clouds import plot_clouds
from pyro_mmvae.plots.comparison import plot_compare
from pyro_mmvae.plots.curves import plot_pck, plot_training
from pyro_mmvae.plots.heatmaps import plot_heatmaps
from pyro_mmvae.plots.skeletons import plot_predictions, plot_skeletons, plot_skeletons_3d

__all__ = [
    "plot_clouds",
    "plot_compare",
    "plot_heatmaps",
    "plot_pck",
    "plot_predictions",
    "plot_skeletons",
    "plot_skeletons_3d",
    "plot_training",
]
