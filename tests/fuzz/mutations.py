"""Damage to files, and other structures in the place of the right one: the same for the same number, always."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from typing import Any

HUGE = (2**31 - 1, 2**32 - 1, 2**31, 2**30, 0, 2**16 - 1)
NUMBERS = re.compile(rb"\d+")


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 4, 32))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.choice((rng.randrange(len(data)), len(data) - 1, min(len(data), rng.randrange(64)))) :]


def _cut_head(data: bytearray, rng: random.Random) -> None:
    del data[: 1 + rng.randrange(min(len(data), 64))]


def _zeros(data: bytearray, rng: random.Random) -> None:
    begin, end = _span(data, rng)
    data[begin:end] = bytes(end - begin)


def _noise(data: bytearray, rng: random.Random) -> None:
    begin, end = _span(data, rng)
    data[begin:end] = rng.randbytes(end - begin)


def _remove(data: bytearray, rng: random.Random) -> None:
    begin, end = _span(data, rng)
    del data[begin:end]


def _repeat(data: bytearray, rng: random.Random) -> None:
    begin, end = _span(data, rng)
    data[begin:begin] = data[begin:end] * rng.choice((1, 1, 1, 100))


def _swap(data: bytearray, rng: random.Random) -> None:
    (a, b), (c, d) = sorted((_span(data, rng), _span(data, rng)))
    if b <= c:
        data[a:d] = data[c:d] + data[b:c] + data[a:b]


def _insert(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.choice((b"\0", b"\n", b"\xff\xfe", b"{[", b'"', b"&a *a", rng.randbytes(9), b"9" * 5000))


def _huge(data: bytearray, rng: random.Random) -> None:
    """Announce a size that is not there."""
    width = rng.choice((4, 4, 8))
    place = rng.randrange(max(min(len(data), 4096) - width, 1))
    data[place : place + width] = rng.choice(HUGE).to_bytes(width, rng.choice(("little", "big")))


def _other_number(data: bytearray, rng: random.Random) -> None:
    """Write another number where one stands in digits."""
    if found := list(NUMBERS.finditer(bytes(data[:100_000]))):
        place = rng.choice(found)
        data[place.start() : place.end()] = rng.choice((b"0", b"-1", b"4294967296", b"1e400", b"nan", b"9" * 30, b"x"))


def _span(data: bytearray, rng: random.Random) -> tuple[int, int]:
    begin = rng.randrange(len(data))
    return begin, min(begin + rng.choice((1, 4, 16, 300)), len(data))


KINDS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _cut, _cut_head, _zeros, _noise, _remove, _repeat, _swap, _insert, _huge, _other_number),
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one to three kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if data:
            rng.choice(KINDS)(data, rng)
    return bytes(data)


FOREIGN: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**70, 1e300, float("nan"), float("inf"), "", "x", "1", "\ud800", "../..", "a" * 5000),
    *([], {}, [[]], [None], {"": {}}, {"a": [1, "2", None]}, [1.0] * 3, [[1.0, 2.0], [3.0]], [[[[]]]]),
)
"""Plain values that are likely not what was expected."""


def altered(value: Any, rng: random.Random, foreign: tuple[Any, ...] = FOREIGN) -> Any:
    """Return plain values of another structure: some part is lost, renamed, doubled or of another kind."""
    changed = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 4))):
        changed = _altered(changed, rng, foreign)
    return changed


def _altered(value: Any, rng: random.Random, foreign: tuple[Any, ...]) -> Any:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys or rng.random() < 0.15:
        return rng.choice(foreign)
    key, what = rng.choice(keys), rng.random()
    if what < 0.2:
        del value[key]
    elif what < 0.3 and isinstance(value, dict):
        value[rng.choice(("", "x", f"{key}2"))] = value.pop(key)
    elif what < 0.4 and isinstance(value, list):
        value.insert(key, copy.deepcopy(value[key]))
    else:
        value[key] = _altered(value[key], rng, foreign)
    return value
