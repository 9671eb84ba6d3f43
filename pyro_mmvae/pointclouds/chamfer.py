"""The Chamfer distance."""

from __future__ import annotations

from torch import Tensor

from pyro_mmvae.pointclouds.neighbours import mutual_neighbours
from pyro_mmvae.pointclouds.pairs import flat_pairs, gather_points, paired_distance


def chamfer_distance(x: Tensor, y: Tensor) -> Tensor:
    r"""Mean distance to the nearest point of the other cloud, summed over both directions.

    .. math::
        \frac{1}{N} \sum_n \min_m \|x_n - y_m\| + \frac{1}{M} \sum_m \min_n \|x_n - y_m\|

    The distances are not squared (Gupta 2021, section 4.3). Neighbours are found without gradient, then the
    distances to them are computed with gradient, so both are exact, and points that coincide get gradient 0.
    NaN coordinates give NaN (large clouds on the CPU: an error).

    Args:
        x: clouds, shape `(*lead, N, D)`.
        y: clouds, shape `(*lead, M, D)`; leading dimensions broadcast.

    Returns:
        Shape `(*lead,)`, in the unit of the coordinates.

    Raises:
        ValueError: shapes that do not fit.
    """
    x, y, lead = flat_pairs(x, y)
    to_y, to_x = mutual_neighbours(x, y)
    forward = paired_distance(x, gather_points(y, to_y))
    backward = paired_distance(y, gather_points(x, to_x))
    return (forward + backward).reshape(lead)
