"""What comparisons show of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Column:
    """A number of a run as comparisons show it.

    Attributes:
        value: NaN, or null in `metrics.json`, if it was not measured.
        better: whether more or less of it is better.
        published: what a paper has for this guide and objective.

    Raises:
        TypeError: the value is no number.
    """

    value: float
    better: Literal["higher", "lower"] = "higher"
    published: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _number(self.value))

    @classmethod
    def of(
        cls, value: float | None, better: Literal["higher", "lower"] = "higher", published: float | None = None
    ) -> Self:
        """Return the column of a number from `metrics.json`, where null stands for NaN."""
        return cls(_number(value), better, published)


@dataclass(frozen=True)
class Curve:
    """A curve of a run: abscissa, ordinate, and what the axes are.

    Raises:
        TypeError: something is no number.
        ValueError: abscissa and ordinate are not as many.
    """

    x: list[float]
    y: list[float]
    labels: tuple[str, str] = field(default=("", ""))

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", [_number(value) for value in self.x])
        object.__setattr__(self, "y", [_number(value) for value in self.y])
        if len(self.x) != len(self.y):
            raise ValueError(f"a curve: expected as many ordinates as abscissas, got {len(self.y)} and {len(self.x)}")


def _number(value: Any) -> float:
    """Return a number from `metrics.json`, where null stands for NaN."""
    if value is None:
        return math.nan
    if isinstance(value, str | bytes):  # of which `float` would make one
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def trust_columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
    """Return what a guide trusts in each sensor, clean and corrupted, where any sample was corrupted."""
    found = {(word, name): kinds for word in ("weights", "influence") for name, kinds in metrics.get(word, {}).items()}
    if not any("corrupted" in kinds for kinds in found.values()):
        return {}
    return {f"{word} of {name}, {k}": Column.of(v) for (word, name), kinds in found.items() for k, v in kinds.items()}
