"""Sensors that fail while files are written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.touch.failures import replaced
from pyro_mmvae.touch.layout import ACTION, DATASETS, DEPTH, FARTHEST, FORCE, RGB, SENSORS

FAULTS = 7
"""Key that keeps the faults apart from everything else that is random."""
_RANGES = {RGB: (0.0, 255.0), DEPTH: (0.0, FARTHEST), FORCE: (-20.0, 20.0), ACTION: (-0.01, 0.01)}
"""What a sensor says that has failed, in the units of the files."""


def fail_in_file(arrays: dict[str, NDArray[Any]], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Let sensors fail for a part of an attempt, in place: all that they say is then random.

    Args:
        arrays: of a file, by its names.
        share: probability with which each sensor fails.
        rng: source of randomness.

    Returns:
        Where a sensor has failed, `(T, 4)`.
    """
    steps = len(arrays[DATASETS[RGB]])
    failed = np.zeros((steps, len(SENSORS)), bool)
    for place, name in enumerate(SENSORS):
        begin, length = int(rng.integers(0, steps)), int(rng.integers(5, 1 + steps))
        if rng.random() < share:
            failed[begin : begin + length, place] = True
            values = arrays[DATASETS[name]]
            gone = values[begin : begin + length]
            values[begin : begin + length] = replaced(gone.astype(np.float32), 1.0, _RANGES[name], rng, axis=-1)
    return failed
