"""Sensors that fail: a share of what they say is replaced by random values (Joshi et al. 2022, section 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.corruption import checked_share
from pyro_mmvae.touch.layout import ACTION, DEPTH, FARTHEST, FORCE, RGB, SENSORS

RANGES: Mapping[str, tuple[float, float]] = {
    RGB: (0.0, 1.0),
    DEPTH: (0.0, FARTHEST),
    FORCE: (-1.0, 1.0),
    ACTION: (-2.0, 2.0),
}
"""What random values are drawn from, uniformly: values as models see them, actions in standard deviations."""


@dataclass(frozen=True)
class Failing:
    """Which sensors fail, how often, and how badly.

    Attributes:
        sensors: those that may fail, each on its own.
        samples: share of the samples in which one does, in [0, 1].
        values: share of its values that are then random, in [0, 1]; a colour, or a reading of all axes, is one value.
        known: whether one knows that it failed: nothing is then observed of it, and `values` does not matter.
    """

    sensors: tuple[str, ...] = ()
    samples: float = 1.0
    values: float = 1.0
    known: bool = False

    def __post_init__(self) -> None:
        checked_share("samples in which a sensor fails", self.samples)
        checked_share("values that are random", self.values)
        if unknown := [name for name in self.sensors if name not in SENSORS]:
            raise ValueError(f"sensors that fail: expected some of {', '.join(SENSORS)}, got {unknown}")

    def drawn(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Return the sensors that fail in one sample."""
        fails = rng.random(len(SENSORS)) < self.samples  # one draw each, whoever may fail
        return tuple(name for name, does in zip(SENSORS, fails, strict=True) if does and name in self.sensors)


def replaced(
    values: NDArray[np.float32], share: float, limits: tuple[float, float], rng: np.random.Generator, axis: int = 0
) -> NDArray[np.float32]:
    """Return a copy in which a share of the values is random, uniform within limits.

    Args:
        values: of one sensor.
        share: in [0, 1]; the number is rounded.
        limits: least and largest.
        rng: source of randomness.
        axis: whose entries belong together, such as the channels of a pixel.
    """
    together = np.moveaxis(values, axis, -1)
    rows = together.reshape(-1, together.shape[-1]).copy()
    chosen = rng.choice(len(rows), round(share * len(rows)), replace=False, shuffle=False)
    rows[chosen] = rng.uniform(*limits, (len(chosen), rows.shape[1]))
    return np.moveaxis(rows.reshape(together.shape), -1, axis)
