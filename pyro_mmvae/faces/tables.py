"""CelebA's text files: a line for each picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.faces.attributes import ATTRIBUTES

ATTRIBUTE_FILE, SPLIT_FILE = "list_attr_celeba.txt", "list_eval_partition.txt"
LANDMARK_FILE = "list_landmarks_align_celeba.txt"
FOLDERS = ("", "Anno", "Eval")
"""Where they are: beside the pictures, or in the folders of the download."""
LANDMARKS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
SPLITS = ("training", "validation", "test")

MAX_LINE = 2000
"""Characters of the longest line that is read."""
MAX_ROWS = 2_000_000
"""Lines of the longest file; CelebA's have 202,599."""
_BROKEN = "with a broken line in {}"
_TWICE = "there twice in {}"
_LARGEST = 100_000


def find(root: Path, name: str) -> Path:
    """Return where one of the text files is.

    Raises:
        FileNotFoundError: nowhere.
    """
    for folder in FOLDERS:
        if (path := root / folder / name).is_file():
            return path
    raise FileNotFoundError(
        f"{root}: expected CelebA's layout, {name} (there or in a folder Anno or Eval), {SPLIT_FILE} and "
        f"img_align_celeba.zip or the folder img_align_celeba; got none of the first"
    )


def read_attributes(path: Path, log: SkipLog) -> dict[str, NDArray[np.int8]]:
    """Return the forty attributes of each picture, 1 or -1 in the order of `ATTRIBUTES`, by the picture's name.

    Raises:
        ValueError: it is another file; broken lines alone are counted and left out.
    """
    lines = _lines(path, log)
    _, header = next(lines, (0, [])), next(lines, (0, []))[1]
    if sorted(header) != sorted(ATTRIBUTES):
        raise ValueError(f"{path}: expected the names of CelebA's 40 attributes in its second line, got {header[:5]}")
    order = [header.index(name) for name in ATTRIBUTES]
    return {name: row[order] for name, row in _numbers(path, lines, len(ATTRIBUTES), np.int8, (-1, 1), log)}


def read_splits(path: Path, log: SkipLog) -> dict[str, int]:
    """Return the place in `SPLITS` of each picture, by its name."""
    return {n: int(row[0]) for n, row in _numbers(path, _lines(path, log), 1, np.int8, (0, 1, 2), log)}


def read_landmarks(path: Path, log: SkipLog) -> dict[str, NDArray[np.int32]]:
    """Return five points (x, y) in pixels of each picture, in the order of `LANDMARKS`, shape `(10,)`, by its name.

    Raises:
        ValueError: it is another file.
    """
    lines = _lines(path, log)
    _, header = next(lines, (0, [])), next(lines, (0, []))[1]
    expected = [f"{name}_{axis}" for name in LANDMARKS for axis in "xy"]
    if header != expected:
        raise ValueError(f"{path}: expected {' '.join(expected)} in its second line, got {' '.join(header[:5])!r}")
    return dict(_numbers(path, lines, len(expected), np.int32, None, log))


def _lines(path: Path, log: SkipLog) -> Iterator[tuple[int, list[str]]]:
    """Yield number and words of every line that is not empty."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number in range(1, MAX_ROWS + 3):
            line = file.readline(MAX_LINE)
            if not line:
                return
            if len(line) == MAX_LINE and not line.endswith("\n"):
                raise ValueError(f"{path}, line {number}: expected at most {MAX_LINE} characters; this is another file")
            if words := line.split():
                yield number, words
    raise ValueError(f"{path}: expected at most {MAX_ROWS} lines, got more")


def _numbers(
    path: Path,
    lines: Iterator[tuple[int, list[str]]],
    count: int,
    dtype: type[np.integer],
    allowed: tuple[int, ...] | None,
    log: SkipLog,
) -> Iterator[tuple[str, NDArray]]:
    """Yield name and numbers of every line that is whole; the first of those of one name."""
    seen: set[str] = set()
    for number, (name, *words) in lines:
        try:
            values = [int(word) for word in words]
        except ValueError:
            values = []
        fits = len(values) == count and all(v in allowed if allowed else abs(v) < _LARGEST for v in values)
        if not fits or "/" in name or "\\" in name or name.startswith("."):
            log.add(name, _BROKEN.format(path.name), f"line {number}")
        elif name in seen:
            log.add(name, _TWICE.format(path.name), f"line {number}")
        else:
            seen.add(name)
            yield name, np.array(values, dtype)
