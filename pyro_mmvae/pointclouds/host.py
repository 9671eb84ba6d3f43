"""Clouds on their way to numpy and indices on their way back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_numpy(clouds: Tensor) -> NDArray[np.float64]:
    """Copy clouds `(L, N, D)` to the host in double precision; waits for the device.

    Raises:
        ValueError: a cloud holds NaN or infinite coordinates.
    """
    array = clouds.detach().cpu().double().numpy()
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise ValueError(
            f"{len(bad)} of {len(array)} point clouds hold NaN or infinite coordinates (flat indices "
            f"{bad[:8].tolist()}): clean the data, or lower the learning rate if they come from a decoder"
        )
    return array


def as_indices(rows: Sequence[NDArray[np.int64]], like: Tensor) -> Tensor:
    """Stack L index arrays of length N to a tensor `(L, N)` on the device of the clouds `(L, N, D)`."""
    stacked = np.stack(rows) if rows else np.empty(like.shape[:-1], dtype=np.int64)
    return torch.from_numpy(stacked).to(like.device)
