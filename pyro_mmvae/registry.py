"""Folders as registries: one file is one member, and its name is the file's. Own code is a member by import path."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from pyro_mmvae import own_code


def member_names(package: str) -> list[str]:
    """Return the names of all modules of a package, sorted; private ones and `base` are left out. Imports nothing.

    Args:
        package: e.g. `pyro_mmvae.guides`.
    """
    found = pkgutil.iter_modules(member_paths(package))
    return sorted(info.name for info in found if not info.name.startswith("_") and info.name != "base")


def member_paths(package: str) -> list[str]:
    """Return the folders that a package consists of, without importing it."""
    if package in sys.modules:
        return list(sys.modules[package].__path__)
    root, *inner = package.split(".")
    spec = find_spec(root)
    return [str(Path(path, *inner)) for path in (spec and spec.submodule_search_locations) or []]


def refuse_unknown(package: str, name: str) -> None:
    """Refuse a name that is neither one of the package's members nor an import path.

    Raises:
        ValueError: it is not; the message lists the members.
    """
    if not own_code.is_own(name) and name not in (names := member_names(package)):
        raise ValueError(
            f"unknown name {name!r} in {package}; choose one of {', '.join(names)}, or give your own by its import "
            f"path: package.module:Name or file.py:name"
        )


def load_class(package: str, name: str, kind: type) -> Any:
    """Return the class of a kind that a member defines, or one's own by import path.

    Raises:
        ValueError: there is none.
    """
    if own_code.is_own(name):
        found = own_code.find(name)
        if not (inspect.isclass(found) and issubclass(found, kind)):
            raise ValueError(f"{name!r}: expected a subclass of {kind.__name__}, got {found!r}")
        return found
    module = load_member(package, name)
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, kind)]
    (own,) = [c for c in classes if c.__module__ == module.__name__]
    return own


def load_function(package: str, name: str) -> Any:
    """Return the function of the member's name, or one's own by import path.

    Raises:
        ValueError: there is none.
    """
    if own_code.is_own(name):
        found = own_code.find(name)
        if not callable(found):
            raise ValueError(f"{name!r}: expected a function, got {found!r}")
        return found
    return getattr(load_member(package, name), name)


def load_member(package: str, name: str) -> ModuleType:
    """Import one module of a package.

    Raises:
        ValueError: there is none of that name.
    """
    refuse_unknown(package, name)
    return importlib.import_module(f"{package}.{name}")
