"""Priors of z, one per file: modules whose call returns p(z); the file's name is the prior's name."""

from __future__ import annotations

from pyro_mmvae.priors.base import Prior
from pyro_mmvae.registry import load_class, member_names


def available() -> list[str]:
    """Return the names of all priors."""
    return member_names(__name__)


def load(name: str) -> type[Prior]:
    """Return the class that a file of this folder defines, or one's own.

    Args:
        name: the file's name; or an import path, `package.module:Class` or `file.py:Class`.

    Raises:
        ValueError: there is no such prior.
    """
    found: type[Prior] = load_class(__name__, name, Prior)
    return found
