"""Weights that change during training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Schedule:
    """A weight that moves from one value to another and stays there.

    Args:
        start: value up to step `begin`.
        end: value from step `begin + steps` on.
        steps: number of training steps (calls of the loss in training mode) in between.
        begin: first step of the change.
        geometric: interpolate the logarithm instead of the value; both values must then be positive.
    """

    start: float
    end: float
    steps: int
    begin: int = 0
    geometric: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.steps < 1:
            raise ValueError(f"a schedule needs at least one step, got {self.steps}")
        if self.geometric and min(self.start, self.end) <= 0:
            raise ValueError(f"a geometric schedule needs positive values, got {self.start} and {self.end}")

    def __call__(self, step: int) -> float:
        """Return the weight at a step."""
        share = min(max((step - self.begin) / self.steps, 0.0), 1.0)
        if self.geometric:
            return math.exp((1 - share) * math.log(self.start) + share * math.log(self.end))
        return (1 - share) * self.start + share * self.end

    def __str__(self) -> str:
        return f"{self.start:g}→{self.end:g}"


Weight = float | Schedule


def weight_at(weight: Weight, step: int) -> float:
    """Return the value of a number or a schedule at a training step."""
    return weight(step) if isinstance(weight, Schedule) else float(weight)


def scaled(weight: Weight, factor: float) -> Weight:
    """Return a weight times a positive factor."""
    if isinstance(weight, Schedule):
        return replace(weight, start=weight.start * factor, end=weight.end * factor)
    return weight * factor
