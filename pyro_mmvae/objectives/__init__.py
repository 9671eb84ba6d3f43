"""Training bounds, one per file: a function of the file's name returns the `Objective`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pyro_mmvae.objective import Objective
from pyro_mmvae.registry import load_member, member_names


def available() -> list[str]:
    """Return the names of all bounds."""
    return member_names(sys.modules[__name__])


def load(name: str) -> Callable[..., Objective]:
    """Return the function that builds a bound, called as `build(inputs, targets, **options)`.

    Raises:
        ValueError: there is no file of that name.
    """
    build: Callable[..., Objective] = getattr(load_member(sys.modules[__name__], name), name)
    return build
