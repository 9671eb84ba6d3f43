"""What ArviZ gives, by one name each in its releases 0.x (`InferenceData`) and 1.x (`DataTree`, Python 3.12 on)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pareto_shapes(log_weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return k-hat of log weights `(N, K)`, shape `(N,)` (Vehtari et al. 2024, arXiv:1507.02646).

    ArviZ 1.x wants log *likelihoods*, as for leave-one-out: its weights are minus what it is given.
    """
    import arviz  # takes seconds, which those who only train need not wait

    if hasattr(arviz, "psislw"):
        return np.asarray(arviz.psislw(log_weights)[1])
    from arviz_stats.base import array_stats

    return np.asarray(array_stats.psislw(-log_weights)[1])


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
    if hasattr(arviz, "InferenceData"):
        return arviz.from_dict(**groups, **settings)
    return arviz.from_dict(groups, **settings)
