"""Figures, each written to a file by one function."""

from __future__ import annotations

from pyro_mmvae.plots.clouds import plot_clouds
from pyro_mmvae.plots.comparison import plot_compare
from pyro_mmvae.plots.correlations import plot_cross_correlations
from pyro_mmvae.plots.curves import plot_history, plot_training
from pyro_mmvae.plots.gaps import plot_gaps
from pyro_mmvae.plots.heatmaps import plot_heatmaps
from pyro_mmvae.plots.images import plot_grey_images, plot_images
from pyro_mmvae.plots.latents import on_a_plane, plot_latents, posterior_points
from pyro_mmvae.plots.matrices import plot_matrices
from pyro_mmvae.plots.ranks import plot_calibration
from pyro_mmvae.plots.tables import plot_table

__all__ = [
    "on_a_plane",
    "plot_calibration",
    "plot_clouds",
    "plot_compare",
    "plot_cross_correlations",
    "plot_gaps",
    "plot_grey_images",
    "plot_heatmaps",
    "plot_history",
    "plot_images",
    "plot_latents",
    "plot_matrices",
    "plot_table",
    "plot_training",
    "posterior_points",
]
