"""Folders as registries: one file is one member, and its name is the file's."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def member_names(package: ModuleType) -> list[str]:
    """Return the names of all modules of a package, sorted; private ones and `base` are left out."""
    names = (info.name for info in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in names if not name.startswith("_") and name != "base")


def load_member(package: ModuleType, name: str) -> ModuleType:
    """Import one module of a package.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    if name not in (names := member_names(package)):
        raise ValueError(f"unknown name {name!r} in {package.__name__}; choose one of {', '.join(names)}")
    return importlib.import_module(f"{package.__name__}.{name}")
