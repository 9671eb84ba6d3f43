"""Inference programs, one per file; the file's name is the guide's name on command lines."""

from __future__ import annotations

import inspect
import sys

from pyro_mmvae.guide import Guide
from pyro_mmvae.registry import load_member, member_names


def available() -> list[str]:
    """Return the names of all guides."""
    return member_names(sys.modules[__name__])


def load(name: str) -> type[Guide]:
    """Return the guide class that a file of this folder defines.

    Raises:
        ValueError: there is no such file.
    """
    module = load_member(sys.modules[__name__], name)
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Guide)]
    (guide,) = [c for c in classes if c.__module__ == module.__name__]
    return guide
