"""Plain containers: what may be a key, and how large and deep a value may be."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from pyro_mmvae.data.unpickling.budget import Budget, RefusedError

MAX_DEPTH = 50
"""Containers in each other; printing, copying and comparing recurse, and Python's own limit is near 1000."""
MAX_KEY_PARTS = 32
ENTRY_COST = 96
"""Bytes of an entry of a set or dictionary."""
CONTAINER_COST = 64
"""Bytes of an empty list, dictionary or tuple, for which a file needs one."""
SET_COST = 256
"""Bytes of an empty set."""
_NUMBERS = (int, float, bool, complex, type(None))
_CONTAINERS = (list, tuple, dict, OrderedDict, set, frozenset)


def fill_dict(target: Any, keys: Sequence[Any], values: Sequence[Any], budget: Budget) -> None:
    """Set items of a dictionary.

    Raises:
        RefusedError: the target is no dictionary, or one of the keys is not admitted.
    """
    if type(target) is not dict and type(target) is not OrderedDict:
        raise RefusedError(f"expected a dictionary to put items in, got {type(target).__name__}; {_ADVICE}")
    budget.spend(ENTRY_COST * len(keys))
    for key in keys:
        _check_key(key, budget)
    target.update(zip(keys, values, strict=True))


def fill_set(target: Any, items: Collection[Any], budget: Budget) -> None:
    """Add items to a set.

    Raises:
        RefusedError: the target is no set, or one of the items is not admitted.
    """
    if type(target) is not set:
        raise RefusedError(f"expected a set to add items to, got {type(target).__name__}; {_ADVICE}")
    budget.spend(ENTRY_COST * len(items))
    for item in items:
        _check_key(item, budget)
    target.update(items)


def _check_key(key: Any, budget: Budget) -> None:
    """Refuse keys that cannot be hashed or whose hash recurses; long ones are paid for whenever they are used."""
    parts = key if type(key) is tuple and len(key) <= MAX_KEY_PARTS else (key,)
    for part in parts:
        if not _is_plain_key(part, budget):
            raise RefusedError(
                f"expected numbers, text or short tuples of them as keys and members of sets, "
                f"got {type(part).__name__}; {_ADVICE}"
            )


def _is_plain_key(key: Any, budget: Budget) -> bool:
    kind = type(key)
    if kind in _NUMBERS:
        return True
    if kind is str or kind is bytes:
        budget.spend(len(key))  # equal texts are compared to the end, each time anew
        return True
    if isinstance(key, np.generic):
        budget.spend(key.nbytes)
        return True
    return False


class _Open:
    """A container whose children are being looked at, on the way down to them."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.children = _children(container)
        self.size, self.height = 1, 1

    def add(self, size: int, height: int) -> None:
        self.size += size
        self.height = max(self.height, 1 + height)


def check_value(value: Any, limit: int) -> None:
    """Refuse a value that is not plain, or that whoever prints, copies or compares it would not finish with.

    Parts that are shared count wherever they appear, as that is how they are gone through: ten references to a list of
    ten references to a list, and so on, need few bytes in a file and never end.

    Args:
        value: what was read.
        limit: bytes that its leaves, and entries that its containers may have altogether.

    Raises:
        RefusedError: it is too large, too deep, contains itself, or holds something else than plain values.
    """
    known: dict[int, tuple[int, int] | None] = {}  # size and height by identity; None while it is being looked at
    path = [_Open([value])]
    while path:
        below = _next_unknown(path[-1], known, limit)
        if path[-1].height + len(path) - 1 > MAX_DEPTH + 1 or len(path) > MAX_DEPTH + 1:
            raise RefusedError(f"expected containers at most {MAX_DEPTH} deep in each other, got more; {_ADVICE}")
        if below is not None:
            known[id(below)] = None
            path.append(_Open(below))
            continue
        done = path.pop()
        known[id(done.container)] = done.size, done.height
        if path:
            path[-1].add(done.size, done.height)
            _check_size(path[-1].size, limit)


def _next_unknown(open_one: _Open, known: dict[int, tuple[int, int] | None], limit: int) -> Any:
    """Add up children until one comes that has to be looked at first; None if there is none."""
    for child in open_one.children:
        if type(child) not in _CONTAINERS:
            open_one.size += _leaf_size(child)
        elif id(child) not in known:
            return child
        elif (found := known[id(child)]) is None:
            raise RefusedError(f"expected plain containers, got one that contains itself; {_ADVICE}")
        else:
            open_one.add(*found)
        if open_one.size > limit:
            break
    _check_size(open_one.size, limit)
    return None


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise RefusedError(
            f"expected at most {limit} bytes and entries, those of shared parts counted wherever they appear, "
            f"got more; {_ADVICE}"
        )


def _children(container: Any) -> Iterator[Any]:
    if isinstance(container, dict):
        return chain(container.keys(), container.values())
    return iter(container)


def _leaf_size(value: Any) -> int:
    kind = type(value)
    if kind is np.ndarray or isinstance(value, np.generic):
        # The rows of an array of shape (10**8, 0) are gone through though they hold nothing.
        return 1 + max(int(value.nbytes), math.prod(max(size, 1) for size in value.shape) if not value.size else 0)
    if kind is str or kind is bytes or kind is bytearray:
        return 1 + len(value)
    if kind in _NUMBERS:
        return 1
    raise RefusedError(f"expected plain values and arrays, got a {kind.__name__}; {_ADVICE}")


_ADVICE = "write the file again, with plain containers of arrays"
