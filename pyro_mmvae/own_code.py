"""Code from outside this package by import path: `package.module:Name`, or `file.py:name`.

Whoever calls `find` has been told the path by the user; what a file says is never enough. `refuse_unnamed` is for those
who read paths from files.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

_PATH = re.compile(r"(?P<module>[\w.]+|[^:]+\.py):(?P<name>[A-Za-z_][\w.]*)")
_IMPORTED: set[str] = set()
"""Names of the modules that were imported as own code, and of the packages that they are in."""


def is_own(name: str) -> bool:
    """Return whether a name is an import path, and not that of a member of this package."""
    return ":" in name


def find(path: str) -> Any:
    """Import what an import path names.

    Raises:
        ValueError: it is no import path, there is no such module or file, or nothing of that name in it. An error while
            the code runs is not touched.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"expected an import path such as package.module:Name or file.py:name, got {path!r}")
    found: Any = _module(match["module"])
    for part in match["name"].split("."):
        if not hasattr(found, part):
            raise ValueError(f"{path!r}: {match['module']} has no {part!r}")
        found = getattr(found, part)
    return found


def short(name: str) -> str:
    """Return a name as it can stand in the name of a file."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".-")


def refuse_unnamed(names: Iterable[str], named: Collection[str], source: str, remedy: str) -> None:
    """Refuse import paths that stand in a file, unless the user has named them too; imports nothing.

    Args:
        names: from the file; those that are no import paths are fine.
        named: what the user said.
        source: the file.
        remedy: option by which to name them.

    Raises:
        ValueError: lists them.
    """
    if unnamed := [name for name in names if is_own(name) and name not in named]:
        raise ValueError(
            f"{source} names code from elsewhere, {', '.join(map(repr, unnamed))}, which was not imported. If you "
            f"trust it, name it again: {remedy.format(' '.join(unnamed))}"
        )


def raised_in(traceback: TracebackType | None) -> bool:
    """Return whether an error has come through own code, so that its author wants to see where."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") in _IMPORTED:
            return True
        traceback = traceback.tb_next
    return False


def _module(name: str) -> ModuleType:
    return _from_file(Path(name)) if name.endswith(".py") else _from_package(name)


def _from_file(path: Path) -> ModuleType:
    name = str(path.resolve())
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    _IMPORTED.add(name)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_package(name: str) -> ModuleType:
    parts = name.split(".")
    _IMPORTED.add(name)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in [".".join(parts[:n]) for n in range(1, len(parts) + 1)]:
            raise
        raise ValueError(f"there is no module {error.name!r} for the import path {name}:...") from error
