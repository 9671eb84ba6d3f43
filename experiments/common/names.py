"""Names for command lines, found without importing what they stand for."""

from __future__ import annotations

import pkgutil
import sys
from importlib.util import find_spec
from pathlib import Path


def names_in(package: str) -> list[str]:
    """Return the names of a package's members, as `pyro_mmvae.registry.member_names` does; nothing is imported.

    Importing a guide means importing PyTorch, for which a reader of `--help` should not have to wait.

    Args:
        package: e.g. `guides` or `pyro_mmvae.objectives`.
    """
    found = pkgutil.iter_modules(_paths(package))
    return sorted(info.name for info in found if not info.name.startswith("_") and info.name != "base")


def _paths(package: str) -> list[str]:
    if package in sys.modules:
        return list(sys.modules[package].__path__)
    root, *inner = package.split(".")
    spec = find_spec(root)
    roots = (spec and spec.submodule_search_locations) or []
    return [str(Path(path, *inner)) for path in roots]


def known(package: str, name: str) -> None:
    """Refuse a name that is not among the package's members.

    Raises:
        ValueError: it is not; the message lists those that there are.
    """
    if name not in (names := names_in(package)):
        raise ValueError(f"unknown name {name!r} in {package}; choose one of {', '.join(names)}")
