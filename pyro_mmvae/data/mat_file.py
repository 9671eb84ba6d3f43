"""Reading one array out of a MATLAB file that anybody may have written: bounded, and nothing of it runs.

SciPy's `loadmat` is not for such files: a few changed bytes make it end the process (1.17), and it unpacks whatever is
packed. Files of numbers need a small part of the format, "MAT-File Format" (MathWorks), level 5, which is read here.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**26
"""Size of the largest file, and of what it may unpack to."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32 = 1, 5, 6
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""How numbers are stored, by type of the element."""
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""What they are, by class of the array; whole numbers of class double are stored as smaller ones."""
_OPAQUE = 17
_COMPLEX = 0x0800
_MAX_DIMENSIONS = 32


class BadMatFileError(ValueError):
    """A MATLAB file is damaged, or does not hold what is expected."""


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Variable(NamedTuple):
    """A variable but for its values."""

    kind: int
    complex: bool
    shape: tuple[int, ...]
    name: str
    values: Iterator[_Element]


def read_mat(path: str | Path, name: str) -> NDArray[Any]:
    """Read an array of real numbers from a MATLAB file (version 5 to 7.2).

    Other variables are passed over. What is packed is unpacked up to `MAX_BYTES`.

    Args:
        path: the file.
        name: of the array.

    Raises:
        FileNotFoundError: there is no such file.
        BadMatFileError: it is no such file, damaged or too large, or has no such array of numbers. The message is one
            line and names the file.
    """
    try:
        content = _content(Path(path))
        order: Literal["<", ">"] = "<" if content[126:128] == b"IM" else ">"
        found = [v for part in _matrices(content, order) if (v := _variable(part, order)) and v.name == name]
        if len(found) != 1:
            raise ValueError(f"expected one array {name!r}, got {len(found)}; is it another data set's file?")
        return _array(found[0], order)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise BadMatFileError(f"{path}: {' '.join(str(error).split())}") from error


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


def _matrices(content: bytes, order: Literal["<", ">"]) -> Iterator[memoryview]:
    """The variables of a file, unpacked."""
    left = MAX_BYTES
    for kind, data in _elements(memoryview(content)[_HEADER:], order):
        if kind == _COMPRESSED:
            inner = list(_elements(memoryview(_inflated(data, left)), order))
            if len(inner) != 1:
                raise ValueError(f"expected one variable in what is packed, got {len(inner)}; it is damaged")
            kind, data = inner[0]
            left -= len(data)
        if kind != _MATRIX:
            raise ValueError(f"expected variables, got an element of type {kind}; it is damaged")
        yield data


def _elements(data: memoryview, order: Literal["<", ">"]) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("it is truncated")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # up to four bytes lie within the tag
            kind, size, start, stop = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError(f"expected at most 4 bytes within a tag, got {size}; it is damaged")
        else:
            start, stop = at + 8, at + 8 + size
            stop += -size % 8 if kind != _COMPRESSED else 0
        if start + size > len(data):
            raise ValueError("it is truncated")
        yield _Element(kind, data[start : start + size])
        at = stop


def _inflated(data: memoryview, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    part = unpacker.decompress(data, limit + 1)
    if len(part) > limit:
        raise ValueError(f"expected at most {MAX_BYTES} bytes when unpacked, got more")
    if not unpacker.eof:
        raise ValueError("what is packed is truncated")
    return part


def _variable(data: memoryview, order: Literal["<", ">"]) -> _Variable | None:
    """What stands before a variable's values; None for an object, which has other parts."""
    parts = _elements(data, order)
    flags = _next(parts, _UINT32, "flags")
    (word,) = struct.unpack_from(f"{order}I", flags)
    if word & 0xFF == _OPAQUE:
        return None
    shape = np.frombuffer(_next(parts, _INT32, "dimensions"), f"{order}i4")
    if not 2 <= len(shape) <= _MAX_DIMENSIONS or (shape < 0).any():
        raise ValueError(f"expected 2 to {_MAX_DIMENSIONS} dimensions of at least 0, got {shape.tolist()[:40]}")
    name = bytes(_next(parts, _INT8, "a name")).decode("ascii", "replace")
    return _Variable(word & 0xFF, bool(word & _COMPLEX), tuple(shape.tolist()), name, parts)


def _next(parts: Iterator[_Element], kind: int, what: str) -> memoryview:
    found = next(parts, None)
    if found is None or found.kind != kind:
        raise ValueError(f"expected {what} of a variable, got something else; it is damaged")
    return found.data


def _array(variable: _Variable, order: Literal["<", ">"]) -> NDArray[Any]:
    kind, is_complex, shape, name, parts = variable
    if kind not in _CLASSES or is_complex:
        raise ValueError(f"expected {name!r} to be an array of real numbers, got another kind of variable")
    values = next(parts, None)
    if values is None or values.kind not in _STORED:
        raise ValueError(f"expected the numbers of {name!r}, got something else; it is damaged")
    stored = np.dtype(order + _STORED[values.kind])
    if (size := math.prod(shape) * stored.itemsize) != len(values.data):
        raise ValueError(f"expected {size} bytes of {name!r}, which is {shape}, got {len(values.data)}; it is damaged")
    return np.frombuffer(values.data, stored).astype(_CLASSES[kind]).reshape(shape, order="F")
