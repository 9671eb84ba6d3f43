"""Nearest neighbours between two clouds, exact and without gradient."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from pyro_mmvae.pointclouds.host import as_indices, as_numpy
from pyro_mmvae.pointclouds.pairs import chunks, flat_pairs, squared_distances, unit_scale
from pyro_mmvae.pointclouds.threads import threaded_map

# Pairs of points from which on scipy's trees beat all distances on the CPU (450 to 450 points, measured).
_TREE_PAIRS = 450**2
# Pairs of points at a time: half a megabyte of float32, which stays in the cache, on the CPU; few kernel launches
# elsewhere. Twice as many from one pair of clouds are taken at once, rather than to compute their distances twice.
_CPU_PAIRS, _DEVICE_PAIRS = 2**17, 2**24


def nearest_neighbours(x: Tensor, y: Tensor) -> Tensor:
    """For each point of x, the index of the nearest point of y (Euclidean).

    The search runs without gradient, in chunks of bounded memory, on differences of coordinates: the neighbour is
    the nearest to within rounding of the dtype, wherever the clouds are and whatever their size. Large clouds on the
    CPU go through a k-d tree.

    Args:
        x: shape `(*lead, N, D)`.
        y: shape `(*lead, M, D)`; leading dimensions broadcast.

    Returns:
        Indices, int64, shape `(*lead, N)`.

    Raises:
        ValueError: shapes that do not fit; on the k-d tree's path also NaN or infinite coordinates.
    """
    with torch.no_grad():
        x, y, lead = flat_pairs(x.detach(), y.detach())
        return _one_way(*_scaled(x, y)).reshape(*lead, x.shape[-2])


def mutual_neighbours(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest neighbours both ways, from one matrix of distances where that is the faster way.

    Args:
        x: shape `(L, N, D)`.
        y: shape `(L, M, D)`.

    Returns:
        For each point of x its neighbour in y, `(L, N)`; for each point of y its neighbour in x, `(L, M)`.
    """
    pairs = x.shape[-2] * y.shape[-2]
    with torch.no_grad():
        x, y = _scaled(x.detach(), y.detach())
        if _use_trees(x, y) or pairs > 2 * _budget(x) or not len(x):
            return _one_way(x, y), _one_way(y, x)
        found = [_both_ways(x[part], y[part]) for part in chunks(len(x), pairs, _budget(x))]
        forward, backward = zip(*found, strict=True)
        return torch.cat(forward), torch.cat(backward)


def _both_ways(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    distances = squared_distances(x, y)
    # `min` with indices is twice as fast as `argmin` on the CPU.
    return distances.min(-1).indices, distances.min(-2).indices


def _one_way(x: Tensor, y: Tensor) -> Tensor:
    if _use_trees(x, y):
        return kdtree_neighbours(x, y)
    found = torch.empty(x.shape[:-1], dtype=torch.int64, device=x.device)
    for part in chunks(len(x), x.shape[-2] * y.shape[-2], _budget(x)):
        for rows in chunks(x.shape[-2], (part.stop - part.start) * y.shape[-2], _budget(x)):
            found[part, rows] = squared_distances(x[part, rows], y[part]).min(-1).indices
    return found


def _scaled(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    scale = unit_scale(x, y)
    return x / scale, y / scale


def _use_trees(x: Tensor, y: Tensor) -> bool:
    return x.device.type == "cpu" and x.shape[-2] * y.shape[-2] > _TREE_PAIRS


def _budget(x: Tensor) -> int:
    return _CPU_PAIRS if x.device.type == "cpu" else _DEVICE_PAIRS


@torch.library.custom_op("pyro_mmvae::kdtree_neighbours", mutates_args=(), schema="(Tensor x, Tensor y) -> Tensor")
def kdtree_neighbours(x: Tensor, y: Tensor) -> Tensor:
    """Nearest neighbours of x `(L, N, D)` in y `(L, M, D)` by scipy's k-d trees, shape `(L, N)`."""
    return as_indices(threaded_map(_query, as_numpy(x), as_numpy(y)), x)


@kdtree_neighbours.register_fake
def _(x: Tensor, y: Tensor) -> Tensor:
    return x.new_empty(x.shape[:-1], dtype=torch.int64)


def _query(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(cKDTree(y).query(x)[1], dtype=np.int64)
