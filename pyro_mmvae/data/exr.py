"""OpenEXR pictures of numbers, such as depth maps: one channel of a scan-line file.

Written here because nothing fits: OpenEXR's own bindings return what they have of a damaged file, and say so only on
the terminal. Source: "OpenEXR File Layout" and "Technical Introduction to OpenEXR", Academy Software Foundation.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.images import MAX_PIXELS, file_content, naming
from pyro_mmvae.files import replace_file

MAGIC = b"\x76\x2f\x31\x01"
_SUPPORTED = {0: ("none", 1), 2: ("ZIPS", 1), 3: ("ZIP", 16)}
"""Compressions by number: name, and scan lines of a chunk."""
_UNSUPPORTED = {1: "RLE", 4: "PIZ", 5: "PXR24", 6: "B44", 7: "B44A", 8: "DWAA", 9: "DWAB"}
_TYPES: tuple[np.dtype[np.generic], ...] = (np.dtype("<u4"), np.dtype("<f2"), np.dtype("<f4"))
_MAX_ATTRIBUTES, _MAX_CHANNELS, _MAX_NAME = 1000, 64, 256


class _Channel(NamedTuple):
    name: str
    dtype: np.dtype[np.generic]


class _Header(NamedTuple):
    channels: list[_Channel]
    compression: int
    width: int
    height: int
    first_line: int
    end: int

    @property
    def line_bytes(self) -> int:
        return self.width * sum(channel.dtype.itemsize for channel in self.channels)

    @property
    def chunk_lines(self) -> int:
        return _SUPPORTED[self.compression][1]


def read_exr(path: str | Path, names: Sequence[str]) -> NDArray[np.float32]:
    """Read one channel of a picture.

    Args:
        path: a scan-line file of one part, not compressed, or by ZIP or ZIPS.
        names: of channels; the first one that there is is read, and the only one whatever its name.

    Returns:
        Shape `(H, W)`, as it was written: not finite where it was not.

    Raises:
        MissingImageError: there is no such file.
        UnreadableImageError: it is truncated, damaged, too large, of another kind or compression, or lacks the channel.
    """
    content = file_content(Path(path))
    with naming(path):
        header = _header(content)
        number = _chosen(header, names)
        lines = np.empty((header.height, header.line_bytes), np.uint8)
        _fill(lines, header, content)
        start = header.width * sum(channel.dtype.itemsize for channel in header.channels[:number])
        dtype = header.channels[number].dtype
        chosen = np.ascontiguousarray(lines[:, start : start + header.width * dtype.itemsize])
        with np.errstate(over="ignore", invalid="ignore"):
            return chosen.view(dtype).astype(np.float32)


def write_exr(path: str | Path, values: NDArray[np.floating], name: str = "Z") -> None:
    """Write a picture of one channel, compressed by ZIP; it is there whole or not at all.

    Args:
        path: of the file.
        values: shape `(H, W)`, neither of them 0; 16-bit floats stay so, others become 32-bit ones.
        name: of the channel.
    """
    half = values.dtype == np.float16
    pixels = np.ascontiguousarray(values, "<f2" if half else "<f4")
    height, width = pixels.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = name.encode() + b"\0" + struct.pack("<iBxxxii", 1 if half else 2, 0, 1, 1) + b"\0"
    attributes = [
        ("channels", "chlist", channels),
        ("compression", "compression", b"\3"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    ]
    head = MAGIC + struct.pack("<i", 2)
    head += b"".join(f"{n}\0{t}\0".encode() + struct.pack("<i", len(v)) + v for n, t, v in attributes) + b"\0"
    chunks = []
    for line in range(0, height, 16):
        raw = pixels[line : line + 16].tobytes()
        packed = zlib.compress(_scattered(raw), 4)
        body = packed if len(packed) < len(raw) else raw
        chunks.append(struct.pack("<2i", line, len(body)) + body)
    ends = np.cumsum([len(head) + 8 * len(chunks), *(len(chunk) for chunk in chunks[:-1])])
    content = head + ends.astype("<u8").tobytes() + b"".join(chunks)
    replace_file(Path(path), lambda partial: partial.write_bytes(content))


def _scattered(raw: bytes) -> bytes:
    """Even bytes, then odd ones, then differences: what ZIP compresses well."""
    values = np.frombuffer(raw, np.uint8)
    values = np.concatenate([values[::2], values[1::2]])
    values[1:] = values[1:] - values[:-1] + np.uint8(128)
    return values.tobytes()


def _gathered(packed: bytes) -> NDArray[np.uint8]:
    differences = np.frombuffer(packed, np.uint8).copy()
    differences[1:] -= 128
    values = np.cumsum(differences, dtype=np.uint8)
    result, half = np.empty_like(values), (len(values) + 1) // 2
    result[::2], result[1::2] = values[:half], values[half:]
    return result


def _header(content: bytes) -> _Header:
    if not content.startswith(MAGIC) or len(content) < 8:
        raise ValueError("expected an OpenEXR file, got a damaged file or another kind")
    flags = struct.unpack_from("<I", content, 4)[0]
    if flags & 0xFF != 2 or flags & 0x1A00:
        raise ValueError("expected a scan-line file of one part, got tiles, depths or several parts")
    found: dict[str, bytes] = {}
    place = 8
    for _ in range(_MAX_ATTRIBUTES):
        name, place = _word(content, place)
        if not name:
            return _described(found, place)
        _, place = _word(content, place)
        size = _unpacked("<i", content, place)[0]
        if size < 0 or place + 4 + size > len(content):
            raise ValueError(f"its header is damaged in {name!r}")
        found[name], place = content[place + 4 : place + 4 + size], place + 4 + size
    raise ValueError("its header has no end")


def _described(found: dict[str, bytes], end: int) -> _Header:
    try:
        left, top, right, bottom = struct.unpack("<4i", found["dataWindow"])
        (compression,) = struct.unpack("<B", found["compression"])
        channels = _channels(found["channels"])
    except (KeyError, struct.error) as error:
        raise ValueError(f"its header lacks size, compression or channels ({error})") from error
    width, height = right - left + 1, bottom - top + 1
    if not channels or width < 1 or height < 1 or width * height * len(channels) > MAX_PIXELS:
        raise ValueError(f"expected 1 to {MAX_PIXELS} values, got {width} x {height} x {len(channels)}")
    if compression not in _SUPPORTED:
        kind = _UNSUPPORTED.get(compression, str(compression))
        raise ValueError(f"expected a file that is not compressed, or by ZIP or ZIPS, got {kind}; save it with ZIP")
    return _Header(channels, compression, width, height, top, end)


def _channels(content: bytes) -> list[_Channel]:
    channels: list[_Channel] = []
    place = 0
    for _ in range(_MAX_CHANNELS):
        name, place = _word(content, place)
        if not name:
            return channels
        kind, across, down = _unpacked("<i4xii", content, place)
        if not 0 <= kind < len(_TYPES) or (across, down) != (1, 1):
            raise ValueError(f"channel {name!r}: expected numbers at every pixel, got type {kind}, {across} x {down}")
        channels.append(_Channel(name, _TYPES[kind]))
        place += 16
    raise ValueError(f"expected at most {_MAX_CHANNELS} channels")


def _chosen(header: _Header, names: Sequence[str]) -> int:
    there = [channel.name for channel in header.channels]
    for name in names:
        if name in there:
            return there.index(name)
    if len(there) != 1:
        raise ValueError(f"expected a channel of {list(names)}, got {there}")
    return 0


def _fill(lines: NDArray[np.uint8], header: _Header, content: bytes) -> None:
    step = header.chunk_lines
    count = -(-header.height // step)
    offsets = _unpacked(f"<{count}Q", content, header.end)
    for number, offset in enumerate(offsets):
        line, size = _unpacked("<2i", content, offset)
        start = number * step
        block = lines[start : start + step]
        if line != header.first_line + start or not 0 < size <= block.size or offset + 8 + size > len(content):
            raise ValueError(f"its lines from {start} on are damaged or cut short")
        body = content[offset + 8 : offset + 8 + size]
        block[:] = _raw(body, block.size).reshape(block.shape)


def _raw(body: bytes, expected: int) -> NDArray[np.uint8]:
    if len(body) == expected:  # what compression would not have shortened is as it is
        return np.frombuffer(body, np.uint8)
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(body, expected + 1)
    except zlib.error as error:
        raise ValueError(f"its pixels are damaged ({error})") from error
    if len(found) != expected or not stream.eof:
        raise ValueError(f"its pixels are damaged: expected {expected} bytes of a chunk, got others")
    return _gathered(found)


def _word(content: bytes, place: int) -> tuple[str, int]:
    end = content.find(b"\0", place, place + _MAX_NAME)
    if end < 0:
        raise ValueError("its header is damaged or cut short")
    return content[place:end].decode("latin-1"), end + 1


def _unpacked(form: str, content: bytes, place: int) -> tuple[int, ...]:
    if place + struct.calcsize(form) > len(content):
        raise ValueError("the file is cut short")
    return struct.unpack_from(form, content, place)
