"""Figures of hands, each written to a file by one function."""

from __future__ import annotations

from pyro_mmvae.hands.plots.pck import plot_pck
from pyro_mmvae.hands.plots.skeletons import plot_predictions, plot_skeletons, plot_skeletons_3d

__all__ = ["plot_pck", "plot_predictions", "plot_skeletons", "plot_skeletons_3d"]
