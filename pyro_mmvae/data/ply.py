"""Point clouds in `.ply` files, the format that mesh and cloud programs share (Turk, 1994)."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER_LINES = 1000


class PlyCloud(NamedTuple):
    """A cloud: points (P, 3) float32, and colours (P, 3) uint8 where the file has them."""

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None


class _Header(NamedTuple):
    order: str
    num_vertices: int
    fields: list[tuple[str, str]]
    ascii: bool


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
    """Reads the vertices of a PLY file: ASCII or binary, of either byte order; faces and other properties are left.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a PLY file with vertices x, y, z, or it is cut short.
    """
    path = Path(path)
    with path.open("rb") as file:
        header = _read_header(file, path)
        table = _read_ascii(file, header, path) if header.ascii else _read_binary(file, header, path)
    points = np.stack([table[name].astype(np.float32) for name in "xyz"], axis=1)
    names = ("red", "green", "blue")
    types = dict(header.fields)
    if all(types.get(name) == "u1" for name in names):
        return PlyCloud(points, np.stack([table[name] for name in names], axis=1))
    return PlyCloud(points, None)


def _header_words(file: BinaryIO, path: Path) -> list[list[str]]:
    lines: list[list[str]] = []
    for _ in range(_MAX_HEADER_LINES):
        raw = file.readline(4096)
        words = raw.decode("ascii", errors="replace").split()
        if words == ["end_header"]:
            return lines
        if not raw:
            break
        if words:
            lines.append(words)
    raise ValueError(f"{path}: expected a PLY header that ends with 'end_header'; the file is damaged or no PLY")


def _read_header(file: BinaryIO, path: Path) -> _Header:
    lines = _header_words(file, path)
    formats = [["format", name, "1.0"] for name in _BYTE_ORDERS]
    if lines[:1] != [["ply"]] or lines[1:2] not in [[line] for line in formats]:
        raise ValueError(f"{path}: expected a PLY file (ascii or binary), got a header that starts {lines[:2]}")
    elements = [line for line in lines if line[0] == "element"]
    if not elements or elements[0][1:2] != ["vertex"] or len(elements[0]) != 3 or not elements[0][2].isdigit():
        raise ValueError(f"{path}: expected 'element vertex COUNT' as the first element, got {elements[:1]}")
    fields = _vertex_fields(lines, path)
    return _Header(_BYTE_ORDERS[lines[1][1]], int(elements[0][2]), fields, lines[1][1] == "ascii")


def _vertex_fields(lines: list[list[str]], path: Path) -> list[tuple[str, str]]:
    starts = [i for i, line in enumerate(lines) if line[0] == "element"] + [len(lines)]
    properties = [line for line in lines[starts[0] : starts[1]] if line[0] == "property"]
    if any(len(line) != 3 or line[1] not in _TYPES for line in properties):
        raise ValueError(f"{path}: expected vertex properties of plain types, got {properties}")
    fields = [(name, _TYPES[kind]) for _, kind, name in properties]
    names = [name for name, _ in fields]
    if not {"x", "y", "z"} <= set(names) or len(set(names)) < len(names):
        raise ValueError(f"{path}: expected vertex properties x, y and z, each name once, got {names}")
    return fields


def _read_binary(file: BinaryIO, header: _Header, path: Path) -> NDArray[np.void]:
    kind = np.dtype([(name, header.order + code) for name, code in header.fields])
    # A damaged count must not ask for more memory than the file could fill.
    data = file.read(min(header.num_vertices * kind.itemsize, path.stat().st_size))
    if len(data) < header.num_vertices * kind.itemsize:
        raise ValueError(
            f"{path}: expected {header.num_vertices} vertices, got {len(data) // kind.itemsize}; it is cut short"
        )
    return np.frombuffer(data, kind)


def _read_ascii(file: BinaryIO, header: _Header, path: Path) -> NDArray[np.void]:
    lines = file.read().decode("ascii", errors="replace").splitlines()
    rows = [tuple(line.split()) for line in lines[: header.num_vertices]]
    width = len(header.fields)
    if len(rows) < header.num_vertices or any(len(row) != width for row in rows):
        raise ValueError(f"{path}: expected {header.num_vertices} vertices of {width} numbers; it is cut short")
    try:
        return np.array(rows, dtype=np.dtype(header.fields))
    except ValueError as error:
        raise ValueError(f"{path}: expected numbers only, {error}") from error
