"""Point clouds in `.ply` files, the format that mesh and cloud programs share (Turk, 1994)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyro_mmvae.data.ply_header import Element, Header, Property, parse_header

MAX_BYTES = 2**31
"""Size of the largest file that is read."""

_COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_STRUCT = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}
_SHOWN = 60

Columns = dict[str, NDArray[Any]]


class PlyCloud(NamedTuple):
    """A cloud.

    Args:
        points: (P, 3) float32, or float64 where the file's numbers are more exact than that.
        colors: (P, 3) uint8 where the file has them.
    """

    points: NDArray[np.floating]
    colors: NDArray[np.uint8] | None


def write_ply(path: str | Path, points: ArrayLike, colors: ArrayLike | None = None) -> Path:
    """Writes a cloud as binary PLY.

    Args:
        path: the file; its folder has to exist.
        points: (P, 3), stored as float32.
        colors: (P, 3) integers in 0..255, or none.

    Raises:
        ValueError: a shape is wrong, a point is not finite or a colour is out of range.
    """
    cloud = np.asarray(points, dtype="<f4")
    if cloud.ndim != 2 or cloud.shape[1] != 3 or not np.isfinite(cloud).all():
        raise ValueError(f"expected finite points of shape (P, 3), got an array of shape {cloud.shape}")
    rows = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    if colors is not None:
        rows += [(name, "u1") for name in ("red", "green", "blue")]
    table = np.empty(len(cloud), dtype=rows)
    for name, column in zip("xyz", cloud.T, strict=True):
        table[name] = column
    if colors is not None:
        for name, column in zip(("red", "green", "blue"), _checked_colors(colors, len(cloud)).T, strict=True):
            table[name] = column
    names = [f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in rows]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}", *names, "end_header", ""]
    Path(path).write_bytes("\n".join(header).encode("ascii") + table.tobytes())
    return Path(path)


def _checked_colors(colors: ArrayLike, count: int) -> NDArray[np.uint8]:
    array = np.asarray(colors)
    in_range = array.dtype.kind in "iu" and bool(((array >= 0) & (array <= 255)).all())
    if array.shape != (count, 3) or not in_range:
        raise ValueError(
            f"expected colors of shape ({count}, 3), integers in 0..255, got {array.dtype} of shape {array.shape}"
        )
    return array.astype(np.uint8)


def read_ply(path: str | Path) -> PlyCloud:
    """Reads the vertices of a PLY file, ASCII or binary of either byte order.

    Other elements, lists and other properties are left out. Colours are called red, green and blue, the same after
    `diffuse_`, or r, g and b; integers count from 0 to 255, others from 0 to 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a PLY file with vertices x, y, z, it is cut short or too large, a point is not finite or
            a colour is out of range.
    """
    path = Path(path)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path}: expected a file of at most {MAX_BYTES} bytes, got {size}")
    content = path.read_bytes()
    try:
        header = parse_header(content)
        columns = _binary_vertices(content, header) if header.order else _ascii_vertices(content, header)
        types = {entry.name: entry.code for entry in header.vertices.properties}
        return PlyCloud(_points(columns, types), _colors(columns, types))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _points(columns: Columns, types: dict[str, str]) -> NDArray[np.floating]:
    dtype = np.result_type(np.float32, *(types[name] for name in "xyz"))
    for name in "xyz":
        _check(columns, name, types[name])
    with np.errstate(over="ignore"):
        points = np.stack([columns[name].astype(dtype) for name in "xyz"], axis=1)
    if not (finite := np.isfinite(points).all(axis=1)).all():
        number = int(np.argmin(finite))
        raise ValueError(f"vertex {number} is not finite: {points[number].tolist()}; leave such points out of the file")
    return points


def _colors(columns: Columns, types: dict[str, str]) -> NDArray[np.uint8] | None:
    names = next((names for names in _COLORS if set(names) <= set(columns)), None)
    if names is None:
        return None
    for name in names:
        _check(columns, name, types[name])
    made = []
    for name in names:
        largest = 1 if types[name][0] == "f" else 255
        column = columns[name]
        if not (inside := (column >= 0) & (column <= largest)).all():
            number = int(np.argmin(inside))
            raise ValueError(f"vertex {number}: {name} is {column[number]:g}, expected 0 to {largest} for its type")
        made.append(np.rint(column * (255 / largest)).astype(np.uint8))
    return np.stack(made, axis=1)


def _check(columns: Columns, name: str, code: str) -> None:
    """Refuse text that does not fit the type it is announced as."""
    column = columns[name]
    if code[0] == "f" or column.dtype.kind != "f":
        return
    limits = np.iinfo(code)
    fits = (column == np.rint(column)) & (column >= limits.min) & (column <= limits.max)
    if not fits.all():
        number = int(np.argmin(fits))
        raise ValueError(f"vertex {number}: {name} is {column[number]:g}, which is no {np.dtype(code).name}")


def _cut_short(element: Element, found: int) -> ValueError:
    return ValueError(f"expected {element.rows} of the element {element.name!r}, got {found}; the file is cut short")


def _binary_vertices(content: bytes, header: Header) -> Columns:
    place = header.start
    for element in header.before:
        place = _binary_rows(content, place, element, header.order, None)
    vertices = header.vertices
    numbers = [entry for entry in vertices.properties if not entry.length]
    if vertices.has_lists:
        rows: list[list[float]] = []
        _binary_rows(content, place, vertices, header.order, rows)
        return _columns(np.array(rows, dtype=np.float64).reshape(-1, len(numbers)), numbers)
    kind = np.dtype([(entry.name, header.order + entry.code) for entry in numbers])
    if (found := (len(content) - place) // kind.itemsize) < vertices.rows:
        raise _cut_short(vertices, found)
    table = np.frombuffer(content, kind, vertices.rows, place)
    return {entry.name: table[entry.name] for entry in numbers}


def _binary_rows(content: bytes, place: int, element: Element, order: str, rows: list[list[float]] | None) -> int:
    """Go through an element, keep its numbers if there is a list for them, and return where it ends."""
    least = element.rows * element.least_bytes
    if place + least > len(content):
        raise _cut_short(element, (len(content) - place) // element.least_bytes)
    if not element.has_lists:
        return place + least
    readers = [(struct.Struct(order + _STRUCT[entry.length or entry.code]), entry) for entry in element.properties]
    for number in range(element.rows):
        row: list[float] = []
        for reader, entry in readers:
            if place + reader.size > len(content):
                raise _cut_short(element, number)
            (value,) = reader.unpack_from(content, place)
            place += reader.size
            if not entry.length:
                row.append(value)
            elif value < 0:
                raise ValueError(f"{element.name} {number}: a list of length {value}; the file is damaged")
            else:
                place += value * int(entry.code[1])
        if place > len(content):
            raise _cut_short(element, number)
        if rows is not None:
            rows.append(row)
    return place


def _ascii_vertices(content: bytes, header: Header) -> Columns:
    text = content[header.start :].decode("ascii", errors="replace")
    lines = [line for line in text.splitlines() if line and not line.isspace()]
    # An element without properties has empty lines.
    start = sum(element.rows for element in header.before if element.properties)
    vertices = header.vertices
    lines = lines[start : start + vertices.rows]
    if len(lines) < vertices.rows:
        raise _cut_short(vertices, len(lines))
    numbers = [entry for entry in vertices.properties if not entry.length]
    if vertices.has_lists:
        rows = [_row(line, number, vertices) for number, line in enumerate(lines)]
        return _columns(np.array(rows, dtype=np.float64).reshape(-1, len(numbers)), numbers)
    return _columns(_table(lines, vertices), numbers)


def _table(lines: list[str], vertices: Element) -> NDArray[np.float64]:
    width = len(vertices.properties)
    if not lines:
        return np.empty((0, width))
    try:
        table = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
        if table.shape == (len(lines), width):
            return table
    except ValueError:
        pass  # said better below, at several times the cost
    return np.array([_row(line, number, vertices) for number, line in enumerate(lines)])


def _row(line: str, number: int, vertices: Element) -> list[float]:
    """The numbers of a line; its lists are left out."""
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if not values or "_" in line:  # Python's own way of writing numbers
        raise ValueError(f"vertex {number}: expected numbers only, got {line[:_SHOWN]!r}")
    row: list[float] = []
    place = 0
    for entry in vertices.properties:
        place += 1
        if place <= len(values) and entry.length:
            place += _length(values[place - 1], number)
        elif place <= len(values):
            row.append(values[place - 1])
    if place != len(values):
        raise ValueError(
            f"vertex {number}: expected a line of {place} numbers, got {len(values)}; damaged or cut short"
        )
    return row


def _length(value: float, number: int) -> int:
    if not 0 <= value < 2**32 or value != int(value):
        raise ValueError(f"vertex {number}: a list of length {value:g}; the file is damaged")
    return int(value)


def _columns(table: NDArray[np.float64], numbers: list[Property]) -> Columns:
    return {entry.name: column for entry, column in zip(numbers, table.T, strict=True)}
