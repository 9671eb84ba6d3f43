"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

MAX_JSON = 2**28
"""Bytes of a JSON file that is read."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, flush it to the disk and rename it: a reader sees the old one or the new one.

    So it is after a kill at any moment, on a full disk, and whatever file system temporary files are on.

    Args:
        path: of the file; its folder is made if need be.
        write: writes the file to the path that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        _flush(partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows does not open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(text: str, path: Path) -> None:
    """Write a text file in one piece."""
    replace_file(path, lambda partial: partial.write_text(text))


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON in one piece; NaN and infinity, which JSON does not have, become null."""
    write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n", path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, holds something else, or is far larger than any file of ours.
    """
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"{path}: expected a JSON file of at most {MAX_JSON} bytes, got {path.stat().st_size}")
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a mapping, got {type(content).__name__}")
    return content


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
                replace_file(path, make)
    return path


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; a process that dies gives it back.

    Raises:
        FileExistsError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        raise FileExistsError(f"another process is writing into {folder}; give another folder with --out") from error
    try:
        yield
    finally:
        held.release()


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value
