"""Types of options that say which values an option may have; `check` holds a configuration to them."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin


@dataclass(frozen=True)
class Range:
    """Finite numbers between two limits.

    Args:
        words: what is expected, for a message.
        low: least value.
        high: greatest value.
        above: leave the least value out.
        below: leave the greatest value out.
    """

    words: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a number is inside; NaN and infinity never are."""
        fits_low = value > self.low if self.above else value >= self.low
        fits_high = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and fits_low and fits_high


@dataclass(frozen=True)
class SomeOf:
    """A share of samples, in (0, 1], or a whole number of them."""

    words: str = "a share in (0, 1] or a whole number"

    def holds(self, value: float) -> bool:
        """Return whether a number is one of the two."""
        return math.isfinite(value) and (0 < value <= 1 or (value > 1 and value % 1 == 0))


Positive = Annotated[int, Range("at least 1", low=1)]
Count = Annotated[int, Range("at least 0", low=0)]
Weight = Annotated[float, Range("a number of at least 0", low=0)]
PositiveNumber = Annotated[float, Range("a positive number", low=0, above=True)]
Share = Annotated[float, Range("a share from 0 to 1", low=0, high=1)]
PartialShare = Annotated[float, Range("a share from 0 to below 1", low=0, high=1, below=True)]
PositiveShare = Annotated[float, Range("a share above 0, up to 1", low=0, high=1, above=True)]
Samples = Annotated[float, SomeOf()]


def check(config: Any) -> None:
    """Refuse options out of their range.

    Args:
        config: a dataclass some of whose fields have types of this file, also inside tuples and unions.

    Raises:
        ValueError: names the first such option, what is expected and what it is.
    """
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for part, limit in _limited(value, hints[field.name]):
            if not limit.holds(part):
                raise ValueError(f"{option(field.name)}: expected {limit.words}, got {part}")


def option(name: str) -> str:
    """Return a field's name as it is on the command line."""
    return f"--{name.replace('_', '-')}"


def _limited(value: Any, hint: Any) -> Iterator[tuple[Any, Range | SomeOf]]:
    """Yield the numbers of a value with the limits that its type sets them."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        if isinstance(value, int | float):
            yield from ((value, mark) for mark in marks if isinstance(mark, Range | SomeOf))
        yield from _limited(value, inner)
    elif isinstance(value, tuple):
        for kind in get_args(hint):
            for part in value if kind is not Ellipsis else ():
                yield from _limited(part, kind)
    else:
        for choice in get_args(hint):
            yield from _limited(value, choice)
