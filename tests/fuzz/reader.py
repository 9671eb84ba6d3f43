"""Read spoiled files in a process whose memory and time are limited: `python reader.py JSON`.

It prints a line when a case begins and one when it ends, so that a crash can be told from an error.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz.targets import TARGETS

SECONDS, MEMORY = 20, 2**31


class TooLongError(BaseException):
    """No reader catches it."""


def limit() -> None:
    """Leave so much memory beside what is mapped already."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def late(*_: Any) -> None:
        raise TooLongError

    signal.signal(signal.SIGALRM, late)


def equal(one: Any, other: Any) -> bool:
    """Whether values are the same, to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and one.equal(other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def case(name: str, number: int, seed: int, folder: Path) -> str:
    """Spoil a file and read it; return what came of it, which begins with "fault" if it must not be."""
    target, rng = TARGETS[name], random.Random(f"{seed} {name} {number}")
    path = folder / target.path
    content, right = _right(name, path)
    is_damage = target.spoil(path, content, number, rng)
    signal.alarm(SECONDS)
    try:
        value = target.read(path)
    except target.errors as error:
        said = str(error)
        named = path.name in said or str(folder) in said
        return f"refused: {said[:200]}" if named else f"fault: the message does not name the file: {said[:300]}"
    except (Exception, TooLongError):
        return f"fault: {traceback.format_exc()[-1500:]}"
    finally:
        signal.alarm(0)
        path.write_bytes(content)
    if target.exact and is_damage and not equal(value, right):
        return "fault: other values were taken for right"
    return "taken"


_made: dict[str, tuple[bytes, Any]] = {}


def _right(name: str, path: Path) -> tuple[bytes, Any]:
    if name not in _made:
        path.parent.mkdir(parents=True, exist_ok=True)
        TARGETS[name].make(path)
        _made[name] = path.read_bytes(), TARGETS[name].read(path)
    return _made[name]


def main(orders: list[tuple[str, int, int]], seed: int) -> None:
    """Do the cases from one number to another of every class of files."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        for name, begin, end in orders:
            folder = Path(place, name.replace(" ", "-"))
            _right(name, folder / TARGETS[name].path)
            limit()
            for number in range(begin, end):
                print(json.dumps([name, number]), flush=True)
                print(json.dumps([name, number, case(name, number, seed, folder)]), flush=True)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
