"""Pairs of clouds: leading dimensions flattened, distances between all points, gathering."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def flat_pairs(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, torch.Size]:
    """Broadcast the leading dimensions of two clouds against each other and flatten them.

    Args:
        x: clouds, shape `(*lead, N, D)`.
        y: clouds, shape `(*lead, M, D)`; the leading dimensions broadcast.

    Returns:
        x of shape `(L, N, D)` and y of shape `(L, M, D)` in one dtype of at least single precision, and `lead`.

    Raises:
        ValueError: the shapes are not those of clouds, do not broadcast, or a cloud is empty.
    """
    if x.dim() < 2 or y.dim() < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"expected clouds of shapes (*lead, N, D) and (*lead, M, D), got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if 0 in (*x.shape[-2:], *y.shape[-2:]):
        raise ValueError(f"clouds need at least one point, got shapes {tuple(x.shape)} and {tuple(y.shape)}")
    try:
        lead = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except RuntimeError as error:
        raise ValueError(
            f"leading dimensions do not broadcast: {tuple(x.shape[:-2])} and {tuple(y.shape[:-2])}"
        ) from error
    # Distances in half precision would be off by per cents; under autocast decoders return such tensors.
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    flat = [c.to(dtype).expand(*lead, *c.shape[-2:]).reshape(lead.numel(), *c.shape[-2:]) for c in (x, y)]
    return flat[0], flat[1], lead


def unit_scale(x: Tensor, y: Tensor) -> Tensor:
    """A power of two near the largest coordinate of each pair of clouds, by which both are divided before squaring.

    The squares of what is left neither overflow nor vanish, and the division rounds nothing. Where all coordinates
    are 0, or one is NaN or infinite, it is 1.

    Args:
        x: shape `(L, N, D)`.
        y: shape `(L, M, D)`.

    Returns:
        Shape `(L, 1, 1)`, without gradient.
    """
    x, y = x.detach(), y.detach()
    return _power_of_two(torch.maximum(*(c.abs().amax(dim=(-2, -1), keepdim=True) for c in (x, y))))


def _power_of_two(size: Tensor) -> Tensor:
    """The largest power of two up to each size, 1 for 0, NaN and infinity.

    It does not go all the way down: nothing needs that, and what is divided by it stays far from overflow.
    """
    smallest = 2.0 ** round(0.75 * math.log2(torch.finfo(size.dtype).tiny))
    power = (size / (2 * torch.frexp(size).mantissa)).clamp_min(smallest)
    return torch.where(size.isfinite() & (size > 0), power, torch.ones_like(power))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances between all points, by coordinate differences; differentiable.

    No matrix product is involved, so neither cancellation nor TF32 or autocast can touch the result: it is right to
    a few roundings however far the clouds are from the origin. Squares may leave the range of the dtype where
    coordinates are extreme; see `unit_scale`.

    Args:
        x: shape `(L, N, D)`.
        y: shape `(L, M, D)`.

    Returns:
        Shape `(L, N, M)`.
    """
    columns = zip(*(cloud.mT.contiguous().unbind(-2) for cloud in (x, y)), strict=True)
    first, *others = (a.unsqueeze(-1) - b.unsqueeze(-2) for a, b in columns)
    total = first.square()
    for difference in others:
        total.addcmul_(difference, difference)
    return total


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Distances between all points, exact and differentiable; gradient 0 where points coincide.

    Squares may leave the range of the dtype where coordinates are extreme; see `unit_scale`.

    Args:
        x: shape `(L, N, D)`.
        y: shape `(L, M, D)`.

    Returns:
        Shape `(L, N, M)`.
    """
    if x.device.type == "cpu":
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    # On CUDA `cdist` without a matrix product spends a block of threads on each pair.
    return distances_by_coordinates(x, y)


def distances_by_coordinates(x: Tensor, y: Tensor) -> Tensor:
    """`distances` from `squared_distances`, for devices where `cdist` is slow or inexact."""
    # Below the smallest normal number the clamp passes no gradient: 0 and not NaN where points coincide.
    return squared_distances(x, y).clamp_min(torch.finfo(x.dtype).tiny).sqrt()


def gather_points(cloud: Tensor, index: Tensor) -> Tensor:
    """Return `cloud[l, index[l, n]]`, shape `(L, N, D)`, of a cloud `(L, M, D)` and an index `(L, N)`."""
    return cloud.gather(-2, index.unsqueeze(-1).expand(*index.shape, cloud.shape[-1]))


def paired_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean distance between paired points `(L, N, D)`, shape `(L,)`; gradient 0 where points coincide.

    Right wherever the differences of coordinates and the sum of distances are within the range of the dtype.
    """
    difference = x - y
    scale = _power_of_two(difference.detach().abs().amax(dim=-1, keepdim=True))
    return (torch.linalg.vector_norm(difference / scale, dim=-1) * scale.squeeze(-1)).mean(-1)


def chunks(length: int, item: int, budget: int) -> Iterator[slice]:
    """Yield slices of `range(length)` such that no slice costs more than the budget, or one item each.

    Args:
        length: number of items.
        item: cost of one item.
        budget: largest cost of a slice.
    """
    step = max(1, budget // max(1, item))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
