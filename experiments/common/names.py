"""Names for command lines, found without importing what they stand for."""

from __future__ import annotations

import ast
import pkgutil
import sys
from importlib.util import find_spec
from pathlib import Path


def names_in(package: str) -> list[str]:
    """Return the names of a package's members, as `pyro_mmvae.registry.member_names` does; nothing is imported.

    Importing a guide means importing PyTorch, for which a reader of `--help` should not have to wait.

    Args:
        package: e.g. `pyro_mmvae.guides`.
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


def programs(package: str) -> dict[str, str]:
    """Return the packages inside a package that can be run, with the first lines of their docstrings, unimported."""
    folders = [Path(path, name) for path in _paths(package) for name in names_in(package)]
    return {f.name: _summary(f / "__init__.py") for f in folders if (f / "__main__.py").is_file()}


def _summary(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def prog(name: str) -> str:
    """Return how the running program was called: `python -m experiments.NAME`, or `mmvae NAME`."""
    return sys.argv[0] if sys.argv[0].startswith("mmvae ") else f"python -m experiments.{name}"
