"""Files in the IDX format, in which MNIST and its kin are published."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08
MAX_VALUES = 2**30
"""Values of the largest file that is read, a gibibyte; MNIST has 47 million."""

_MOST_DIMENSIONS = 8
_PART = 2**20


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes; a name that ends in `.gz` is decompressed.

    The format: two zero bytes, the type, the number of dimensions, each dimension as a big-endian 32-bit integer, then
    the values in row-major order. No more is read or decompressed than the head announces.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or truncated, too large, or holds something else.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            shape = _read_shape(file, path)
            return np.frombuffer(_read_values(file, shape, path), np.uint8).reshape(shape)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be decompressed ({error}); the file is damaged, get it again") from error


def _read_shape(file: io.BufferedIOBase, path: Path) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or head[3] > _MOST_DIMENSIONS:
        raise ValueError(f"{path}: expected an IDX file of unsigned bytes, got one that begins with {head!r}")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ValueError(f"{path}: its head is cut short; the file is damaged, get it again")
    return tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))


def _read_values(file: io.BufferedIOBase, shape: tuple[int, ...], path: Path) -> bytearray:
    expected = math.prod(shape)
    if expected > MAX_VALUES:
        raise ValueError(
            f"{path}: its head announces {expected} values of shape {shape}, more than the {MAX_VALUES} that are read; "
            f"the file is damaged, or too large"
        )
    values = bytearray()
    # In parts, so that memory follows what there is, not what is announced; to the end, where the checksum is.
    while part := file.read(min(_PART, expected + 1 - len(values))):
        values += part
    if len(values) != expected:
        more = ", or more" if len(values) > expected else ""
        raise ValueError(
            f"{path}: its head announces {expected} values of shape {shape}, but {len(values)} follow{more}; "
            f"the file is damaged, get it again"
        )
    return values
