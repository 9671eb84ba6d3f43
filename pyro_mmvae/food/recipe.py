"""A recipe as files have it, and what is wrong with files."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

MAX_LINES = 200
"""Ingredient lines of a recipe that are read."""
MAX_IMAGES = 50
"""Pictures of a recipe that are known of."""

NO_IMAGE = "without an image"
NO_INGREDIENTS = "without ingredients"
BROKEN = "broken JSON"
TWICE = "there twice"


class BadRecipeError(ValueError):
    """A recipe that cannot be used.

    Args:
        reason: a few words, the same for all recipes with this fault.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class Recipe(NamedTuple):
    """What is used of a recipe.

    Attributes:
        name: its number or identifier.
        lines: of ingredients, as written.
        images: paths of its pictures, relative to the folder of the set.
        split: "train", "val" or "test"; None where the set has no splits.
    """

    name: str
    lines: tuple[str, ...]
    images: tuple[str, ...]
    split: str | None = None


class SkipLog:
    """Counts recipes that were left out, by reason, and remembers the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, name: str, reason: str, detail: str = "") -> None:
        """Count a recipe."""
        self.counts[reason] += 1
        self.first.setdefault(reason, (f"{name}: {detail}" if detail else name)[:300])

    def __str__(self) -> str:
        lines = [f"{number} {reason} (first: {self.first[reason]})" for reason, number in self.counts.items()]
        return f"{self.counts.total()} recipes left out" + "".join(f"\n  {line}" for line in lines)


def check_lines(value: Any) -> tuple[str, ...]:
    """Return the lines of ingredients.

    Raises:
        BadRecipeError: there are none, or it is no list of words.
    """
    if value is not None and not isinstance(value, list):
        raise BadRecipeError(BROKEN, f"expected a list of ingredients, got {type(value).__name__}")
    lines = tuple(line for line in (value or [])[:MAX_LINES] if isinstance(line, str) and line.strip())
    if not lines:
        raise BadRecipeError(NO_INGREDIENTS)
    return lines
