"""Arrays from `.npz` files of any origin."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_ARRAYS = 10_000
"""Arrays of the largest file."""
MAX_BYTES = 2**30
"""Size of the largest array that is read, and of all that are read together, a gibibyte."""

_MAX_HEADER = 10_000


def read_npz(path: str | Path, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    """Read some of the arrays of a file, none of which may hold Python objects.

    What an array's header and the archive say of its size is compared with each other and with `MAX_BYTES` before any
    memory is taken; it never expands beyond that.

    Args:
        path: the file.
        wanted: whether the array of a name is read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind or damaged, too large, or a wanted array holds more than plain values.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_members(archive, wanted)
        # zipfile and numpy let through whatever they stumble over in a damaged file.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path}: expected an .npz file of plain arrays ({reason})") from error


def _read_members(archive: zipfile.ZipFile, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    members = archive.infolist()
    if len(members) > MAX_ARRAYS:
        raise ValueError(f"at most {MAX_ARRAYS} arrays are read, it holds {len(members)}")
    chosen = {name: m for m in members if m.filename.endswith(".npy") and wanted(name := m.filename[: -len(".npy")])}
    if (total := sum(member.file_size for member in chosen.values())) > MAX_BYTES:
        raise ValueError(f"at most {MAX_BYTES} bytes are read, its arrays announce {total}")
    return {name: _read_array(archive, name, member) for name, member in chosen.items()}


def _read_array(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        # One byte more than is announced: only a read that comes to the end checks the checksum.
        content = file.read(member.file_size + 1)
        if len(content) != member.file_size or file.read(1):
            raise ValueError(f"{name!r} is of another size than announced; it is damaged")
    stream = io.BytesIO(content)
    shape, dtype = _read_header(stream)
    size, left = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if dtype.hasobject or size != left:
        raise ValueError(f"{name!r} should hold {size} bytes of {dtype} and shape {shape}, it has {left}")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_MAX_HEADER))


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"arrays of version {version} hold more than plain values")
    shape, _, dtype = readers[version](stream, max_header_size=_MAX_HEADER)
    if any(size < 0 for size in shape):
        raise ValueError(f"its header makes no sense: shape {shape}")
    return shape, dtype
