"""Priors of z, one per file: modules whose call returns p(z); the file's name is the prior's name."""

from __future__ import annotations

import inspect
import sys

from pyro_mmvae.priors.base import Prior
from pyro_mmvae.registry import load_member, member_names


def available() -> list[str]:
    """Return the names of all priors."""
    return member_names(sys.modules[__name__])


def load(name: str) -> type[Prior]:
    """Return the class that a file of this folder defines.

    Raises:
        ValueError: there is no such file.
    """
    module = load_member(sys.modules[__name__], name)
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Prior)]
    (prior,) = [c for c in classes if c.__module__ == module.__name__]
    return prior
