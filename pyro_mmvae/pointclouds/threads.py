"""A pool of threads for scipy's geometry, which releases the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def threaded_map(function: Callable[..., T], *iterables: Iterable[object]) -> list[T]:
    """Return `list(map(function, *iterables))`, computed by as many threads as this process may use cores."""
    workers = _cores()
    if workers == 1:
        return list(map(function, *iterables))
    return list(_pool(os.getpid(), workers).map(function, *iterables))


@cache
def _pool(process: int, workers: int) -> ThreadPoolExecutor:
    # Threads do not survive a fork: keyed by process, a forked data loader starts its own pool instead of
    # waiting for threads that only its parent has.
    return ThreadPoolExecutor(workers, thread_name_prefix="pyro_mmvae-pointclouds")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
