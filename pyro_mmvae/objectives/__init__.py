"""Training bounds, one per file: a function of the file's name returns the `Objective`."""

from __future__ import annotations

from collections.abc import Callable

from pyro_mmvae.objective import Objective
from pyro_mmvae.registry import load_function, member_names


def available() -> list[str]:
    """Return the names of all bounds."""
    return member_names(__name__)


def load(name: str) -> Callable[..., Objective]:
    """Return the function that builds a bound, called as `build(inputs, targets, **options)`.

    Args:
        name: the file's name; or one's own function by import path, `package.module:function` or `file.py:function`.

    Raises:
        ValueError: there is no such bound.
    """
    build: Callable[..., Objective] = load_function(__name__, name)
    return build
