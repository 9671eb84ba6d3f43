"""Distances between point clouds, with exact values and gradients."""

from pyro_mmvae.pointclouds.chamfer import chamfer_distance
from pyro_mmvae.pointclouds.emd import earth_movers_distance
from pyro_mmvae.pointclouds.matching import match_points
from pyro_mmvae.pointclouds.neighbours import nearest_neighbours

__all__ = ["chamfer_distance", "earth_movers_distance", "match_points", "nearest_neighbours"]
