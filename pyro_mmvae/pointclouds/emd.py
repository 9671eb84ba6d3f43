"""The earth mover's distance."""

from __future__ import annotations

from torch import Tensor

from pyro_mmvae.pointclouds.matching import Solver, match_points
from pyro_mmvae.pointclouds.pairs import flat_pairs, gather_points, paired_distance


def earth_movers_distance(x: Tensor, y: Tensor, *, solver: Solver | None = None) -> Tensor:
    r"""Mean distance between matched points, under the best one-to-one matching.

    .. math::
        \min_{\phi} \frac{1}{N} \sum_n \|x_n - y_{\phi(n)}\|

    The distances are not squared (Gupta 2021, section 4.3). The matching is solved exactly and without
    gradient (see `match_points`); the gradient is that of the distances between matched points, an exact
    subgradient, and 0 where points coincide.

    Args:
        x: clouds, shape `(*lead, N, D)`, best the predictions.
        y: clouds, shape `(*lead, N, D)`, best the targets; leading dimensions broadcast.
        solver: `"scipy"` or `"torch"`; chosen by device when left out (see `match_points`).

    Returns:
        Shape `(*lead,)`, in the unit of the coordinates.

    Raises:
        ValueError: shapes that do not fit, clouds of different size, NaN or infinite coordinates.
        ImportError: the solver asked for is not installed.
    """
    match = match_points(x, y, solver=solver)
    x, y, lead = flat_pairs(x, y)
    return paired_distance(x, gather_points(y, match.reshape(-1, x.shape[-2]))).reshape(lead)
