"""Reading pickles that came from elsewhere: numpy arrays and plain containers, and nothing that runs."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def restricted_load(path: str | Path) -> Any:
    """Read a pickle of numpy arrays and plain containers; nothing that it names is imported or called.

    Pickles of numpy 1 and 2 and of Python 2 and 3 are read alike.

    Args:
        path: the pickle file.

    Raises:
        FileNotFoundError: there is no such file.
        pickle.UnpicklingError: the file is damaged, or it asks for anything but arrays and containers.
    """
    return restricted_loads(Path(path).read_bytes(), str(path))


def restricted_loads(data: bytes, source: str = "the pickle") -> Any:
    """Unpickle bytes as `restricted_load` does; `source` names them in error messages."""
    try:
        return _RestrictedUnpickler(io.BytesIO(data), encoding="latin1").load()
    except _RefusedGlobalError as error:
        raise _RefusedGlobalError(f"{source}: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything: EOFError, KeyError, TypeError...
        raise pickle.UnpicklingError(
            f"{source}: expected a pickle of numpy arrays and plain containers, got one that cannot be read "
            f"({type(error).__name__}: {error}); it may be damaged: download or write it again"
        ) from error


class _RefusedGlobalError(pickle.UnpicklingError):
    """A pickle asked for something that is not on the list."""


class _RestrictedUnpickler(pickle.Unpickler):
    """Looks names up in a fixed table instead of importing them."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            make = _ADMITTED[module, name]
        except KeyError:
            raise _RefusedGlobalError(
                f"refused to load {module}.{name}: only numpy arrays and plain containers are admitted; "
                f"nothing of it was run. If you trust the file, convert it to plain arrays first"
            ) from None
        return make()


def _encode_latin1(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"expected latin1 bytes, got encoding {encoding!r}")
    return text.encode("latin1")


def _type(value: type) -> Callable[[], type]:
    return lambda: value


def _function(function: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    # A new wrapper at each look-up: a pickle may set attributes on what it was given.
    return lambda: lambda *args: function(*args)


def _admitted() -> dict[tuple[str, str], Callable[[], Any]]:
    array, number = np.zeros(1), np.float64(0)
    # Asked of numpy itself: the modules have other names in numpy 1 and 2.
    functions = {
        ("multiarray", "_reconstruct"): array.__reduce__()[0],
        ("multiarray", "scalar"): number.__reduce__()[0],
        ("numeric", "_frombuffer"): array.__reduce_ex__(5)[0],
    }
    table: dict[tuple[str, str], Callable[[], Any]] = {
        (f"{core}.{module}", name): _function(function)  # type: ignore[arg-type]
        for (module, name), function in functions.items()
        for core in ("numpy.core", "numpy._core")
    }
    table |= {("numpy", "ndarray"): _type(np.ndarray), ("numpy", "dtype"): _type(np.dtype)}
    table |= {
        ("_codecs", "encode"): _function(_encode_latin1),
        ("collections", "OrderedDict"): _type(OrderedDict),
    }
    for builtins in ("builtins", "__builtin__"):
        table |= {(builtins, kind.__name__): _type(kind) for kind in (set, frozenset, bytes, bytearray, complex)}
    return table


_ADMITTED = _admitted()
