"""A recipe as files have it, and what is wrong with files."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyro_mmvae.data.skips import UnusableError

MAX_LINES = 200
"""Ingredient lines of a recipe that are read."""
MAX_IMAGES = 50
"""Pictures of a recipe that are known of."""

NO_IMAGE = "without an image"
NO_INGREDIENTS = "without ingredients"
BROKEN = "broken JSON"
TWICE = "there twice"


class BadRecipeError(UnusableError):
    """A recipe that cannot be used."""


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
