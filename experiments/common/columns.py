"""What comparisons show of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pyro_mmvae.estimators.grid import Quantity, Summaries


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


def likelihood_columns(
    found: Summaries, quantities: Mapping[str, Quantity], published: Mapping[tuple[str, str], float | None]
) -> dict[str, Column]:
    """Return what `grid` found as columns of a comparison, with each proposal's share of high k-hats.

    Args:
        found: as `metrics.json` has it.
        quantities: by name.
        published: by proposal, `a+b`, and quantity.
    """
    places = [(given, name) for given, names in found.items() for name in names]
    values = {
        f"{quantities[name].title} from q(z|{given})": Column.of(
            found[given][name]["mean"], published=published.get((given, name))
        )
        for given, name in places
    }
    khats = {given: next(iter(names.values()))["khat_over_0.7"] for given, names in found.items()}
    return values | {f"k-hat > 0.7 from q(z|{given})": Column.of(share, "lower") for given, share in khats.items()}


def trust_columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
    """Return what a guide trusts in each sensor, clean and corrupted, where any sample was corrupted."""
    found = {(word, name): kinds for word in ("weights", "influence") for name, kinds in metrics.get(word, {}).items()}
    if not any("corrupted" in kinds for kinds in found.values()):
        return {}
    return {f"{word} of {name}, {k}": Column.of(v) for (word, name), kinds in found.items() for k, v in kinds.items()}
