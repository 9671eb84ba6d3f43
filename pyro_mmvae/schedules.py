"""Weights that change during training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from pyro_mmvae.arguments import check_count, check_number


@dataclass(frozen=True)
class Schedule:
    """A weight that moves from one value to another and stays there. A number times a schedule is a schedule.

    Args:
        start: value up to step `begin`.
        end: value from step `begin + steps` on.
        steps: number of training steps (calls of the loss in training mode) in between.
        begin: first step of the change.
        geometric: interpolate the logarithm instead of the value; both values must then be positive.

    Raises:
        ValueError: a value that is NaN, infinite or negative, or a number of steps that is not whole or below one.
    """

    __array_ufunc__: ClassVar[None] = None
    """Leaves the product with a NumPy number to `__rmul__`."""

    start: float
    end: float
    steps: int
    begin: int = 0
    geometric: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        for name in ("start", "end"):
            check_number(getattr(self, name), f"{name} of a schedule")
        check_count(self.steps, "steps of a schedule")
        if not math.isfinite(self.begin):
            raise ValueError(f"begin of a schedule: expected a finite number, got {self.begin}")
        if self.geometric and min(self.start, self.end) <= 0:
            raise ValueError(f"a geometric schedule needs positive values, got {self.start} and {self.end}")

    def __call__(self, step: int) -> float:
        """Return the weight at a step."""
        share = min(max((step - self.begin) / self.steps, 0.0), 1.0)
        if self.geometric:
            return math.exp((1 - share) * math.log(self.start) + share * math.log(self.end))
        return (1 - share) * self.start + share * self.end

    def __mul__(self, factor: float) -> Schedule:
        """Return the schedule of the weight times a factor.

        Raises:
            ValueError: the factor is negative, NaN or infinite.
        """
        check_number(factor, "factor of a schedule")
        return replace(self, start=self.start * factor, end=self.end * factor)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return f"{self.start:g}→{self.end:g}"


Weight = float | Schedule


def weight_at(weight: Weight, step: int) -> float:
    """Return the value of a number or a schedule at a training step."""
    return weight(step) if isinstance(weight, Schedule) else float(weight)


def scaled(weight: Weight, factor: float) -> Weight:
    """Return a weight times a positive factor."""
    return weight * factor


def check_weight(weight: object, what: str) -> None:
    """Refuse what is neither a schedule nor a finite number that is not negative.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(weight, Schedule):
        check_number(weight, what)
