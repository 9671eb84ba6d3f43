"""Heat maps of joints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def gaussian_heatmaps(points: NDArray[Any], size: int, sigma: float) -> NDArray[np.float32]:
    """Draw one Gaussian per joint, of height 1 at the joint.

    Args:
        points: (J, 2) pixel coordinates (x, y) in the map, pixel centres at integers. A joint outside the map
            leaves what its tail reaches.
        size: side of the square map.
        sigma: standard deviation in the map's pixels.

    Returns:
        (J, size, size) float32.
    """
    grid = np.arange(size, dtype=np.float32)
    # A joint far outside leaves nothing either way; clipped, its square cannot overflow.
    near = np.clip(points, -1e6, 1e6).astype(np.float32)
    offsets = grid - near[:, :, None]
    across, down = np.exp(-0.5 * (offsets / np.float32(sigma)) ** 2).swapaxes(0, 1)
    return np.asarray(down[:, :, None] * across[:, None, :])
