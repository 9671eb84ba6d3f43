"""What a PNG file says of itself, and its checksums, which Pillow does not check for pixel data.

Source: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C, 2025.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_LAYOUTS = {0: ("grey", 1), 2: ("RGB", 3), 3: ("palette", 1), 4: ("grey with alpha", 2), 6: ("RGBA", 4)}
# First column, first row and steps of the seven passes of an interlaced picture.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Png(NamedTuple):
    """What a PNG file holds.

    Args:
        size: width and height.
        bits: of one value of one channel.
        layout: "grey", "RGB", "palette", "grey with alpha" or "RGBA".
        channels: values of a pixel.
        interlaced: whether the pixels come in seven passes.
        palette: red, green and blue of each colour; empty without a palette.
        pixels: the compressed pixels, in parts.
    """

    size: tuple[int, int]
    bits: int
    layout: str
    channels: int
    interlaced: bool
    palette: bytes
    pixels: list[memoryview]


def parse_png(content: bytes) -> Png:
    """Walk through the chunks of a PNG file and check each one's checksum; nothing is decompressed.

    Raises:
        ValueError: the file is truncated, damaged or no PNG.
    """
    kinds: dict[bytes, list[memoryview]] = {}
    place = len(SIGNATURE)
    if not content.startswith(SIGNATURE):
        raise ValueError("no PNG file")
    while b"IEND" not in kinds:
        kind, body, place = _chunk(content, place)
        if not kinds and (kind != b"IHDR" or len(body) != 13):
            raise ValueError("a PNG file without its header; it is damaged")
        kinds.setdefault(kind, []).append(body)
    palette = bytes(kinds.get(b"PLTE", [memoryview(b"")])[0])
    return _described(kinds[b"IHDR"][0], palette, kinds.get(b"IDAT", []))


def check_pixels(png: Png) -> None:
    """Decompress the pixels, to no more than their number asks for, and check their checksum.

    Raises:
        ValueError: there are fewer or more pixels than announced, or they are damaged.
    """
    expected = _number_of_bytes(png)
    stream = zlib.decompressobj()
    try:
        found = len(stream.decompress(b"".join(png.pixels), expected + 1))
    except zlib.error as error:
        raise ValueError(f"its pixels are damaged ({error})") from error
    if found != expected or not stream.eof:
        raise ValueError(f"its pixels are damaged: expected {expected} bytes of them, got {_count(found, expected)}")


def _count(found: int, expected: int) -> str:
    return "more" if found > expected else f"{found} and no end" if found == expected else str(found)


def _chunk(content: bytes, place: int) -> tuple[bytes, memoryview, int]:
    if place + 12 > len(content):
        raise ValueError("the PNG file is cut short")
    length, kind = struct.unpack_from(">I4s", content, place)
    end = place + 8 + length
    if end + 4 > len(content):
        raise ValueError(f"the PNG file is cut short or damaged in its part {kind!r}")
    view = memoryview(content)
    if zlib.crc32(view[place + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
        raise ValueError(f"the PNG file is damaged: wrong checksum of its part {kind!r}")
    return kind, view[place + 8 : end], end + 4


def _described(header: memoryview, palette: bytes, pixels: list[memoryview]) -> Png:
    width, height, bits, layout, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not width or not height or layout not in _LAYOUTS or bits not in (1, 2, 4, 8, 16) or interlaced > 1:
        raise ValueError(f"the PNG file's header makes no sense: {bytes(header).hex()}")
    if len(palette) % 3 or (_LAYOUTS[layout][0] == "palette" and not palette):
        raise ValueError("the PNG file lacks its palette, or it is damaged")
    return Png((width, height), bits, *_LAYOUTS[layout], bool(interlaced), palette, pixels)


def _number_of_bytes(png: Png) -> int:
    width, height = png.size
    total = 0
    for left, top, right_by, down_by in _PASSES if png.interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // right_by), -(-(height - top) // down_by)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * png.bits * png.channels // 8))  # each row names its filter
    return total
