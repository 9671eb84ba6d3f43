"""How the learning rate goes over the steps of a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

RateSchedule = Literal["constant", "cosine", "exponential"]


@dataclass(frozen=True)
class LearningRate:
    """A schedule of the learning rate.

    Args:
        schedule: "constant"; "cosine": one cycle from the whole rate to zero over the fit, after the warm-up; or
            "exponential": times `decay` after every epoch.
        warmup: steps in which the rate rises linearly.
        decay: of the exponential schedule, in (0, 1].

    Raises:
        ValueError: an unknown schedule, or a decay that is none.
    """

    schedule: RateSchedule = "constant"
    warmup: int = 0
    decay: float = 0.99

    def __post_init__(self) -> None:
        if self.schedule not in get_args(RateSchedule):
            raise ValueError(f"unknown schedule {self.schedule!r}; there are {list(get_args(RateSchedule))}")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay: expected a factor in (0, 1], got {self.decay}")

    def factor(self, step: int, total: float = math.inf, epoch: float = math.inf) -> float:
        """Return the factor of the learning rate in a step.

        Args:
            step: from 0.
            total: steps of the fit.
            epoch: steps of an epoch.
        """
        warm = min((step + 1) / (self.warmup + 1), 1.0)
        if self.schedule == "exponential":
            return warm * float(self.decay ** (step // epoch))
        if self.schedule == "constant" or step < self.warmup or math.isinf(total):
            return warm
        share = (step - self.warmup) / max(total - self.warmup, 1)
        return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
