"""Numbers and texts as pickles write them: each reader takes only bytes that are there, and short ones for numbers."""

from __future__ import annotations

import codecs
import pickle
import struct
from collections.abc import Callable
from typing import Any

from pyro_mmvae.data.unpickling.budget import RefusedError

MAX_INT_BYTES = 64
"""Of an integer: far beyond any index, still a float without overflow, and cheap to print."""
MAX_NUMBER_CHARACTERS = 160
"""Of a number written as text, since reading one takes time that grows with the square of its length."""

Reader = Callable[[bytes, int], tuple[Any, int]]
"""Takes the pickle and the position behind the opcode; returns the value and the position behind it."""


def take(data: bytes, position: int, count: int) -> tuple[bytes, int]:
    """Read a number of bytes.

    Raises:
        EOFError: there are not so many.
    """
    end = position + count
    if not position <= end <= len(data):
        raise EOFError(f"{count} bytes are announced, {len(data) - position} follow")
    return data[position:end], end


def take_line(data: bytes, position: int) -> tuple[bytes, int]:
    """Read what is left of the line.

    Raises:
        ValueError: it does not end.
    """
    end = data.index(b"\n", position)
    return data[position:end], end + 1


def take_number(data: bytes, position: int, width: int, signed: bool = False) -> tuple[int, int]:
    """Read a little-endian integer of so many bytes.

    Raises:
        EOFError: there are not so many.
    """
    raw, position = take(data, position, width)
    return int.from_bytes(raw, "little", signed=signed), position


def text_int(line: bytes) -> int:
    """Return an integer written in decimal digits, with or without Python 2's L.

    Raises:
        RefusedError: it is too long.
        ValueError: it is none.
    """
    return int(_short(line).removesuffix(b"L"))


def take_byte(data: bytes, position: int) -> tuple[int, int]:
    """Read an integer of one byte: the most frequent of all, so without a detour.

    Raises:
        IndexError: there is none.
    """
    return data[position], position + 1


def _number(width: int, signed: bool = False) -> Reader:
    return lambda data, position: take_number(data, position, width, signed)


def _counted(width: int, convert: Callable[[bytes], Any]) -> Reader:
    """Read what follows its own length; `width` is that of the length."""

    def read(data: bytes, position: int) -> tuple[Any, int]:
        raw, position = take(data, *reversed(take_number(data, position, width)))
        return convert(raw), position

    return read


def _long(width: int) -> Reader:
    def read(data: bytes, position: int) -> tuple[int, int]:
        length, position = take_number(data, position, width)
        if length > MAX_INT_BYTES:
            raise RefusedError(f"expected integers of at most {MAX_INT_BYTES} bytes, got one of {length}; {_ADVICE}")
        return take_number(data, position, length, signed=True)

    return read


def _float(data: bytes, position: int) -> tuple[float, int]:
    raw, position = take(data, position, 8)
    return struct.unpack(">d", raw)[0], position


def _line(convert: Callable[[bytes], Any]) -> Reader:
    def read(data: bytes, position: int) -> tuple[Any, int]:
        line, position = take_line(data, position)
        return convert(line), position

    return read


def _short(line: bytes) -> bytes:
    if len(line) > MAX_NUMBER_CHARACTERS:
        raise RefusedError(
            f"expected numbers of at most {MAX_NUMBER_CHARACTERS} characters, got one of {len(line)}; {_ADVICE}"
        )
    return line


def _int_or_bool(line: bytes) -> int:
    truth = {b"00": False, b"01": True}
    return truth[line] if line in truth else text_int(line)


def _quoted(line: bytes) -> str:
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    return _latin1(codecs.escape_decode(line[1:-1])[0])


def _latin1(raw: bytes) -> str:
    return raw.decode("latin1")  # a string of Python 2 may hold any bytes


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_ADVICE = "write the file again, with plain arrays"

LITERALS: dict[bytes, Reader] = {
    pickle.INT: _line(_int_or_bool),
    pickle.LONG: _line(text_int),
    pickle.FLOAT: _line(lambda line: float(_short(line))),
    pickle.BININT: _number(4, signed=True),
    pickle.BININT1: take_byte,
    pickle.BININT2: _number(2),
    pickle.LONG1: _long(1),
    pickle.LONG4: _long(4),
    pickle.BINFLOAT: _float,
    pickle.STRING: _line(_quoted),
    pickle.SHORT_BINSTRING: _counted(1, _latin1),
    pickle.BINSTRING: _counted(4, _latin1),
    pickle.UNICODE: _line(lambda line: str(line, "raw-unicode-escape")),
    pickle.SHORT_BINUNICODE: _counted(1, _utf8),
    pickle.BINUNICODE: _counted(4, _utf8),
    pickle.BINUNICODE8: _counted(8, _utf8),
    pickle.SHORT_BINBYTES: _counted(1, bytes),
    pickle.BINBYTES: _counted(4, bytes),
    pickle.BINBYTES8: _counted(8, bytes),
    pickle.BYTEARRAY8: _counted(8, bytearray),
}
"""Readers by opcode."""
