"""Figures, each written to a file by one function."""

from __future__ import annotations

from pyro_mmvae.plots.clouds import plot_clouds
from pyro_mmvae.plots.comparison import plot_compare
from pyro_mmvae.plots.correlations import plot_cross_correlations
from pyro_mmvae.plots.curves import plot_training
from pyro_mmvae.plots.heatmaps import plot_heatmaps

__all__ = ["plot_clouds", "plot_compare", "plot_cross_correlations", "plot_heatmaps", "plot_training"]
