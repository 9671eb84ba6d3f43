"""What a `.ply` file says of itself (Turk, 1994)."""

from __future__ import annotations

import re
from typing import NamedTuple

TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
"""Names of types, and numpy's codes for them."""

_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_LENGTH = 2**20
_SHOWN = 60


class Property(NamedTuple):
    """A number of each row of an element, or a list of numbers.

    Args:
        name: what it is called.
        code: type of the number, or of each one in the list.
        length: type of the list's length; empty for a number.
    """

    name: str
    code: str
    length: str = ""


class Element(NamedTuple):
    """A kind of thing, such as vertices or faces.

    Args:
        name: what it is called.
        rows: how many of it there are.
        properties: what each row holds.
    """

    name: str
    rows: int
    properties: tuple[Property, ...]

    @property
    def has_lists(self) -> bool:
        """Whether rows differ in length."""
        return any(entry.length for entry in self.properties)

    @property
    def least_bytes(self) -> int:
        """Bytes of a binary row whose lists are empty."""
        return sum(int((entry.length or entry.code)[1]) for entry in self.properties)


class Header(NamedTuple):
    """What a file says of itself.

    Args:
        order: of the bytes, "<" or ">"; empty for text.
        before: elements that come before the vertices.
        vertices: the element "vertex".
        start: place of the first byte after the header.
    """

    order: str
    before: list[Element]
    vertices: Element
    start: int


def parse_header(content: bytes) -> Header:
    """Read the header of a file.

    Raises:
        ValueError: it is none, is damaged, or tells of no vertices with x, y and z.
    """
    lines, start = _header_lines(content)
    formats = [line[1:] for line in lines if line[0] == "format"]
    if len(formats) != 1 or formats[0][1:] != ["1.0"] or formats[0][0] not in _BYTE_ORDERS:
        raise ValueError(f"expected a PLY file, 'format' one of {list(_BYTE_ORDERS)} and 1.0, got {formats}")
    elements = _elements(lines)
    names = [element.name for element in elements]
    if names.count("vertex") != 1:
        raise ValueError(f"expected 'element vertex COUNT' once, got the elements {names}")
    place = names.index("vertex")
    _check_vertices(elements[place])
    return Header(_BYTE_ORDERS[formats[0][0]], elements[:place], elements[place], start)


def _header_lines(content: bytes) -> tuple[list[list[str]], int]:
    """Words of the lines that are no comments, and where the header ends."""
    first = re.match(rb"ply[ \t]*(\r\n|\n|\r)", content)
    if not first:
        raise ValueError(f"expected a PLY file, whose first line is 'ply', got {content[:16]!r}")
    # Where lines end in CR alone, the next byte is data even if it looks like LF.
    newline = rb"\r" if first[1] == b"\r" else rb"\r?\n"
    last = re.compile(rb"[\r\n]end_header[ \t]*(" + newline + rb"|\Z)").search(content, 0, _MAX_LENGTH)
    if not last:
        raise ValueError("expected a PLY header that ends with 'end_header'; the file is damaged or no PLY")
    lines = [
        line.split() for line in content[first.end() : last.start()].decode("utf-8", errors="replace").splitlines()
    ]
    return [line for line in lines if line and line[0] not in ("comment", "obj_info")], last.end()


def _elements(lines: list[list[str]]) -> list[Element]:
    elements: list[Element] = []
    for line in lines:
        if line[0] == "element" and len(line) == 3 and re.fullmatch("[0-9]{1,18}", line[2]):
            elements.append(Element(line[1], int(line[2]), ()))
        elif line[0] == "property" and elements and (entry := _property(line[1:])):
            last = elements[-1]
            elements[-1] = last._replace(properties=(*last.properties, entry))
        elif line[0] != "format":
            raise ValueError(f"expected a PLY header, got the line {' '.join(line)[:_SHOWN]!r} in it")
    return elements


def _property(words: list[str]) -> Property | None:
    match words:
        case ["list", length, kind, name] if kind in TYPES and TYPES.get(length, "f")[0] != "f":
            return Property(name, TYPES[kind], TYPES[length])
        case [kind, name] if kind in TYPES:
            return Property(name, TYPES[kind])
    return None


def _check_vertices(vertices: Element) -> None:
    names = [entry.name for entry in vertices.properties]
    numbers = {entry.name for entry in vertices.properties if not entry.length}
    if not {"x", "y", "z"} <= numbers or len(set(names)) < len(names):
        raise ValueError(f"expected vertex properties x, y and z, numbers, each name once, got {names}")
