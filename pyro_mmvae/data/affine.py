"""Affine maps of the plane, as (2, 3) matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def apply_affine(affine: NDArray[Any], points: NDArray[Any]) -> Array:
    """Map points (..., 2) by an affine map (2, 3)."""
    return points @ affine[:, :2].T + affine[:, 2]


def invert_affine(affine: NDArray[Any]) -> Array:
    """Return the inverse (2, 3) of an affine map (2, 3)."""
    return np.linalg.inv(np.vstack([affine, [0.0, 0.0, 1.0]]))[:2]


def compose_affine(outer: NDArray[Any], inner: NDArray[Any]) -> Array:
    """Return the affine map (2, 3) that applies `inner`, then `outer`."""
    return np.asarray(outer @ np.vstack([inner, [0.0, 0.0, 1.0]]))
