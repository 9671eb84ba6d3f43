"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text file in one piece."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, path)


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a file unless it is there; of several processes at once one makes it, and the others wait.

    Args:
        path: of the file; what it is made from should be part of its name.
        make: writes the file to the path that it is given.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                partial = path.with_suffix(".partial")
                make(partial)
                os.replace(partial, path)
    return path


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value
