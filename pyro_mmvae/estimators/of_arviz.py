"""What ArviZ gives, by one name each in its releases 0.x (`InferenceData`) and 1.x (`DataTree`, Python 3.12 on)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pareto_shapes(log_weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return k-hat of log weights `(N, K)`, shape `(N,)` (Vehtari et al. 2024, arXiv:1507.02646).

    A tail of weights that are all the same has no shape: zero. ArviZ 1.x wants log *likelihoods*, as for leave-one-out:
    its log weights are minus what it is given.
    """
    import arviz  # takes seconds, which those who only train need not wait

    if _is_old():
        return np.asarray(arviz.psislw(log_weights)[1])
    from arviz_stats.base import array_stats

    found = np.zeros(len(log_weights))
    several = np.ptp(np.sort(log_weights)[:, -tail_size(log_weights.shape[1]) :], axis=1) > 0
    if several.any():  # it raises where all of a tail are the same
        found[several] = array_stats.psislw(-log_weights[several])[1]
    return found


def tail_size(num_samples: int) -> int:
    """Return how many of the largest weights a tail holds (Vehtari et al. 2024, section 3)."""
    return math.ceil(min(num_samples / 5, 3 * math.sqrt(num_samples)))


def _is_old() -> bool:
    import arviz

    return int(arviz.__version__.split(".")[0]) < 1


def from_groups(
    groups: Mapping[str, Mapping[str, NDArray[Any]]],
    coords: Mapping[str, Sequence[int]],
    dims: Mapping[str, Sequence[str]],
) -> Any:
    """Return groups of named arrays as what the installed ArviZ works with.

    Args:
        groups: by name; arrays have dimensions (chain, draw, ...) but for `observed_data`.
        coords: values of named dimensions.
        dims: names of an array's dimensions after chain and draw; those left out get names of ArviZ's.
    """
    import arviz

    settings = {"coords": dict(coords), "dims": {name: list(names) for name, names in dims.items()}}
    if _is_old():
        return arviz.from_dict(**groups, **settings)
    return arviz.from_dict(groups, check_conventions=False, **settings)  # it warns of a dimension named "sample"
