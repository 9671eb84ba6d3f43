"""Reading one array out of a MATLAB file that anybody may have written: bounded, and nothing of it runs."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat

MAX_BYTES = 2**26
"""Size of the largest file, and of what it may unpack to."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"}


class BadMatFileError(ValueError):
    """A MATLAB file is damaged, or does not hold what is expected."""


def read_mat(path: str | Path, name: str) -> NDArray[Any]:
    """Read an array of real numbers from a MATLAB file (version 5 to 7.2).

    What is compressed is unpacked up to `MAX_BYTES` before anything is made of it, sizes are read before values, and
    other variables are passed over.

    Args:
        path: the file.
        name: of the array.

    Raises:
        FileNotFoundError: there is no such file.
        BadMatFileError: it is no such file, damaged or too large, or has no such array of numbers. The message is one
            line and names the file.
    """
    try:
        return _read(Path(path), name)
    except FileNotFoundError:
        raise
    # SciPy's reader lets through whatever it stumbles over in a damaged file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadMatFileError(f"{path}: {reason}") from error


def _read(path: Path, name: str) -> NDArray[Any]:
    plain = _unpacked(_content(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # SciPy warns, and goes on, where a file is damaged
        found = [entry for entry in whosmat(io.BytesIO(plain)) if entry[0] == name]
        if len(found) != 1:
            raise ValueError(f"expected one array {name!r}, got {len(found)}; is it another data set's file?")
        _, shape, kind = found[0]
        if kind not in _NUMBERS:
            raise ValueError(f"expected {name!r} to be an array of numbers, got {kind}")
        if np.prod([float(size) for size in shape]) > len(plain):
            raise ValueError(f"expected {name!r} to be as large as it says, {shape}, got {len(plain)} bytes in all")
        value = loadmat(io.BytesIO(plain), variable_names=[name])[name]
    if not isinstance(value, np.ndarray) or value.shape != tuple(shape) or value.dtype.kind not in "fiu":
        raise ValueError(f"expected {name!r} to be an array {shape} of real numbers; it is damaged")
    return value


def _content(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not path.is_file():
        raise ValueError("expected a file, got a folder or another thing that is no file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes, got {size}")
    content = path.read_bytes()
    if content[124:128] in (b"\x00\x02IM", b"\x02\x00MI"):
        raise ValueError("it is of MATLAB's version 7.3 (HDF5); save it with '-v7'")
    if content[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise ValueError("expected a MATLAB file of version 5 to 7.2, got a damaged file or another kind")
    return content


class _Element(NamedTuple):
    kind: int
    start: int
    stop: int


def _elements(content: bytes) -> Iterator[_Element]:
    """The elements of the outermost level, each with where its bytes begin (after its tag) and end."""
    order = "<" if content[126:128] == b"IM" else ">"
    at = _HEADER
    while at < len(content):
        if at + 8 > len(content):
            raise ValueError("the file is truncated")
        kind, size = struct.unpack_from(f"{order}II", content, at)
        if kind not in (_MATRIX, _COMPRESSED):
            raise ValueError(f"expected variables, got an element of type {kind}; it is damaged")
        at += 8
        if at + size > len(content):
            raise ValueError("the file is truncated")
        yield _Element(kind, at, at + size)
        at += size


def _unpacked(content: bytes) -> bytes:
    """The same file without compression."""
    parts, total = [content[:_HEADER]], _HEADER
    for kind, start, stop in _elements(content):
        part = _inflated(content[start:stop], MAX_BYTES - total) if kind == _COMPRESSED else content[start - 8 : stop]
        parts.append(part)
        total += len(part)
    plain = b"".join(parts)
    if any(element.kind != _MATRIX for element in _elements(plain)):
        raise ValueError("it holds something packed within something packed; it is damaged")
    return plain


def _inflated(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    part = unpacker.decompress(data, limit + 1)
    if len(part) > limit:
        raise ValueError(f"expected at most {MAX_BYTES} bytes when unpacked, got more")
    if not unpacker.eof:
        raise ValueError("the packed data are truncated")
    return part
