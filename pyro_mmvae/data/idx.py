"""Files in the IDX format, in which MNIST and its kin are published."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes; a name that ends in `.gz` is decompressed.

    The format: two zero bytes, the type, the number of dimensions, each dimension as a big-endian 32-bit integer, then
    the values in row-major order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or truncated, or holds something else.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise ValueError(f"{path}: expected an IDX file of unsigned bytes, got one that begins with {content[:4]!r}")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    expected = int(np.prod(shape, dtype=object))
    if (values := len(content) - start) != expected:
        raise ValueError(
            f"{path}: its head announces {expected} values of shape {shape}, but {max(values, 0)} follow; "
            f"the file is damaged, get it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed ({error}); the file is damaged, get it again") from error
