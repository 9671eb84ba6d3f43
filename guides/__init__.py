"""Inference programs, one per file; the file's name is the guide's name on command lines."""

from __future__ import annotations

from pyro_mmvae.guide import Guide
from pyro_mmvae.registry import load_class, member_names


def available() -> list[str]:
    """Return the names of all guides."""
    return member_names(__name__)


def load(name: str) -> type[Guide]:
    """Return the guide class that a file of this folder defines, or one's own.

    Args:
        name: the file's name; or an import path, `package.module:Class` or `file.py:Class`.

    Raises:
        ValueError: there is no such guide.
    """
    found: type[Guide] = load_class(__name__, name, Guide)
    return found
