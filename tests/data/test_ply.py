"""PLY files: what is written can be read, what is damaged is named."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyro_mmvae.data.ply import MAX_BYTES, read_ply, write_ply

CLOUDS = arrays(np.float32, st.tuples(st.integers(0, 20), st.just(3)), elements=st.floats(-1e6, 1e6, width=32))
HEADER = "ply\nformat {} 1.0\ncomment made by hand\nelement vertex 2\n{}\nend_header\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CLOUDS, st.booleans())
def test_round_trip(tmp_path, points, colored):
    colors = np.abs(points * 7).astype(np.int64) % 256 if colored else None
    found = read_ply(write_ply(tmp_path / "cloud.ply", points, colors))
    np.testing.assert_array_equal(found.points, points)
    if colored:
        np.testing.assert_array_equal(found.colors, colors)
    else:
        assert found.colors is None


@pytest.mark.parametrize(("name", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")])
def test_binary_of_either_order_with_properties_of_other_kinds(tmp_path, name, order):
    properties = "property uchar flag\nproperty double x\nproperty double y\nproperty int k\nproperty double z"
    kind = [("flag", "u1"), ("x", f"{order}f8"), ("y", f"{order}f8"), ("k", f"{order}i4"), ("z", f"{order}f8")]
    table = np.array([(1, 1.5, 2.5, 7, 3.5), (0, -1.0, -2.0, 9, -3.0)], dtype=kind)
    path = tmp_path / "cloud.ply"
    path.write_bytes(HEADER.format(name, properties).encode() + table.tobytes() + b"faces, not looked at")
    np.testing.assert_array_equal(read_ply(path).points, [[1.5, 2.5, 3.5], [-1, -2, -3]])


def test_ascii(tmp_path):
    path = tmp_path / "cloud.ply"
    path.write_text(HEADER.format("ascii", "property float z\nproperty float x\nproperty float y") + "3 1 2\n6 4 5\n")
    np.testing.assert_array_equal(read_ply(path).points, [[1, 2, 3], [4, 5, 6]])


XYZ = "property float x\nproperty float y\nproperty float z"
RGB = XYZ + "\nproperty uchar red\nproperty uchar green\nproperty uchar blue"
LIST = "\nproperty list uchar int around"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "first line is 'ply'"),
        ("solid stl\n" * 5000, "first line is 'ply'"),
        ("ply\n" + "comment\n" * 200_000, "end_header"),
        ("off\nend_header\n", "expected a PLY file"),
        ("ply\nformat\nend_header\n", "expected a PLY file"),
        (HEADER.format("latin", XYZ), "expected a PLY file"),
        ("ply\nformat ascii 1.0\nelement face 2\nend_header\n", "element vertex"),
        (HEADER.format("ascii", XYZ).replace("2", "-2"), "element vertex"),
        (HEADER.format("ascii", "property float x\nproperty float y"), "x, y and z"),
        (HEADER.format("ascii", XYZ + "\nproperty float x"), "each name once"),
        (HEADER.format("ascii", "property list uchar int x"), "x, y and z, numbers"),
        (HEADER.format("ascii", "property list float int i\n" + XYZ), "got the line 'property list float int i'"),
        (HEADER.format("ascii", "property half x"), "got the line 'property half x'"),
        (HEADER.format("ascii", XYZ).replace("1.0", "2.0"), "format"),
        (HEADER.format("ascii", XYZ + "\nformat ascii 1.0"), "format"),
        (HEADER.format("ascii", XYZ + "\nelement vertex 3"), "once"),
        (
            HEADER.format("ascii", XYZ).replace("element", "property float x\nelement"),
            "got the line 'property float x'",
        ),
        (HEADER.format("ascii", XYZ).replace("x 2", "x 2e3"), "element vertex 2e3"),
        (HEADER.format("ascii", XYZ).replace("x 2", "x 1000000000000"), "cut short"),
        (HEADER.format("ascii", XYZ + LIST).replace("x 2", "x 1000000000000") + "1 2 3 0", "cut short"),
        (HEADER.format("binary_big_endian", XYZ + LIST).replace("x 2", "x 1000000000000") + "1" * 99, "cut short"),
        (
            HEADER.format("ascii", "").replace("vertex 2", "face 1000000000000" + LIST + "\nelement vertex 1\n" + XYZ),
            "cut",
        ),
        (HEADER.format("ascii", XYZ) + "1 2\n3\n4 5 6\n", "vertex 0: expected a line of 3 numbers, got 2"),
        (HEADER.format("ascii", XYZ) + "1 2 3 4\n5 6 7 8\n", "vertex 0: expected a line of 3 numbers, got 4"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 5 1_0\n", "numbers only"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 nan 5\n", "vertex 1 is not finite"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 1e300 5\n", "vertex 1 is not finite"),
        (HEADER.format("ascii", XYZ + LIST) + "1 2 3 0\n4 5 6 -1\n", "vertex 1: a list of length -1"),
        (HEADER.format("ascii", XYZ + LIST) + "1 2 3 0\n4 5 6 2 7\n", "vertex 1: expected a line of 6 numbers, got 5"),
        (HEADER.format("ascii", RGB) + "1 2 3 4 5 6\n1 2 3 300 0 0\n", "vertex 1: red is 300, which is no uint8"),
        (HEADER.format("ascii", RGB) + "1 2 3 4 5 .5\n1 2 3 0 0 0\n", "vertex 0: blue is 0.5, which is no uint8"),
        (
            HEADER.format("ascii", RGB.replace("uchar", "float")) + "1 2 3 0 0 0\n1 2 3 0 9 0\n",
            "green is 9, expected 0 to 1",
        ),
        (HEADER.format("ascii", RGB.replace("uchar", "ushort")) + "1 2 3 0 0 0\n1 2 3 0 256 0\n", "expected 0 to 255"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n", "cut short"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 5\n", "expected a line of 3 numbers, got 2; damaged or cut short"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 5 six\n", "numbers only"),
        (HEADER.format("binary_little_endian", XYZ) + "1234567890", "cut short"),
        (HEADER.format("binary_little_endian", XYZ).replace("x 2", "x 99999999999"), "cut short"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "cloud.ply"
    path.write_text(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"^{path}: (.|\n)*{message}") as refused:
        read_ply(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(refused.value)
    assert peak < 2**23


TYPES = {
    **{"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d"},
    **{"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f"},
    "float64": "d",
}
LENGTHS = [name for name, code in TYPES.items() if code not in "fd"]
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class Writer:
    """Writes PLY files in every way that the format allows, as the draws have it."""

    def __init__(self, data):
        self.draw = data.draw
        self.format = self.draw(st.sampled_from(sorted(ORDERS)))
        self.newline = self.draw(st.sampled_from(["\n", "\r\n", "\r"]))

    def number(self, kind, value):
        if self.format == "ascii":
            spellings = [repr(value)] + ([f"{value}.0", f"{value:+d}"] if TYPES[kind] not in "fd" else [])
            return [self.draw(st.sampled_from(spellings)).encode()]
        return [struct.pack(ORDERS[self.format] + TYPES[kind], value)]

    def some(self, kind):
        return self.number(kind, 0.5 if TYPES[kind] in "fd" else self.draw(st.integers(0, 127)))

    def items(self, length, kind):
        count = self.draw(st.integers(0, 3))
        return self.number(length, count) + [word for _ in range(count) for word in self.some(kind)]

    def others(self, prefix):
        """Properties that are not looked at: names, lines of the header, writers of a value."""
        for number in range(self.draw(st.integers(0, 2))):
            kind = self.draw(st.sampled_from(sorted(TYPES)))
            if self.draw(st.booleans()):
                yield f"property {kind} {prefix}{number}", lambda kind=kind: self.some(kind)
            else:
                length = self.draw(st.sampled_from(LENGTHS))
                line = f"property list {length} {kind} {prefix}{number}"
                yield line, lambda length=length, kind=kind: self.items(length, kind)

    def element(self, name):
        """Another element: its lines of the header, its rows."""
        entries, rows = list(self.others("p")), self.draw(st.integers(0, 3))
        return [f"element {name} {rows}", *(line for line, _ in entries)], [
            [word for _, write in entries for word in write()] for _ in range(rows)
        ]

    def vertices(self, points, kinds, colors, color_names, color_kind):
        entries = [
            (f"property {kind} {name}", lambda i, kind=kind, k=k: self.number(kind, points[i][k]))
            for k, (kind, name) in enumerate(zip(kinds, "xyz", strict=True))
        ]
        entries += [
            (f"property {color_kind} {name}", lambda i, k=k: self.number(color_kind, colors[i][k]))
            for k, name in enumerate(color_names)
        ]
        entries += [(line, lambda _, write=write: write()) for line, write in self.others("v")]
        entries = self.draw(st.permutations(entries))
        rows = [[word for _, write in entries for word in write(i)] for i in range(len(points))]
        return [f"element vertex {len(points)}", *(line for line, _ in entries)], rows

    def file(self, elements):
        remarks = ["comment made by hand é", "obj_info num_cols 3", "comment end_header"]
        lines = [f"format {self.format} 1.0", *(line for lines, _ in elements for line in lines)]
        for remark in self.draw(st.lists(st.sampled_from(remarks), max_size=3)):
            lines.insert(self.draw(st.integers(0, len(lines))), remark)
        head = self.newline.join(["ply", *lines, "end_header", ""]).encode()
        rows = [row for _, rows in elements for row in rows]
        if self.format != "ascii":
            return head + b"".join(word for row in rows for word in row)
        blank = [b""] if self.draw(st.booleans()) else []
        return head + self.newline.encode().join([*blank, *(b" ".join(row) for row in rows), b""])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_format_allows_is_read(tmp_path_factory, data):
    writer = Writer(data)
    kinds = [data.draw(st.sampled_from(["float", "double", "float32", "float64", "int", "short"])) for _ in "xyz"]
    numbers = {"f": st.floats(-1e6, 1e6, width=32), "d": st.floats(-1e6, 1e6), "i": st.integers(-(2**31), 2**31 - 1)}
    numbers["h"] = st.integers(-(2**15), 2**15 - 1)
    points = data.draw(st.lists(st.tuples(*(numbers[TYPES[kind]] for kind in kinds)), max_size=5))
    prefix = data.draw(st.sampled_from(["", "diffuse_"]))
    names = data.draw(st.sampled_from([[], [prefix + name for name in ("red", "green", "blue")], ["r", "g", "b"]]))
    color_kind = data.draw(st.sampled_from(["uchar", "uint8", "int", "ushort", "float", "double"]))
    shades = st.integers(0, 255) if TYPES[color_kind] not in "fd" else st.integers(0, 255).map(lambda v: v / 255)
    colors = [[data.draw(shades) for _ in "rgb"] for _ in points]
    elements = [writer.vertices(points, kinds, colors, names, color_kind)]
    elements = [writer.element("camera")] * data.draw(st.integers(0, 1)) + elements
    elements += [writer.element("face")] * data.draw(st.integers(0, 1))
    path = tmp_path_factory.getbasetemp() / "any.ply"
    path.write_bytes(writer.file(elements))

    found = read_ply(path)
    exact = any(TYPES[kind] in "di" for kind in kinds)
    assert found.points.dtype == (np.float64 if exact else np.float32)
    np.testing.assert_array_equal(found.points, np.array(points, dtype=found.points.dtype).reshape(-1, 3))
    if names:
        largest = 1 if TYPES[color_kind] in "fd" else 255
        expected = np.rint(np.array(colors).reshape(-1, 3) * (255 / largest))
        np.testing.assert_array_equal(found.colors, expected)
    else:
        assert found.colors is None

    # Cut anywhere, or with any other byte, it is read or refused by name.
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for spoilt in (content[: data.draw(st.integers(0, len(content) - 1))], damaged):
        path.write_bytes(spoilt)
        with suppress(ValueError):
            read_ply(path)


def test_large_files_are_not_read(tmp_path):
    path = tmp_path / "large.ply"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="at most"):
        read_ply(path)


@pytest.mark.parametrize(
    ("points", "colors", "message"),
    [
        (np.zeros((3, 2)), None, r"\(P, 3\)"),
        (np.full((1, 3), np.nan), None, "finite"),
        (np.zeros((2, 3)), np.zeros((3, 3), int), r"\(2, 3\)"),
        (np.zeros((1, 3)), np.zeros((1, 3)), "integers"),
        (np.zeros((1, 3)), np.full((1, 3), 256), "0..255"),
    ],
)
def test_bad_clouds_are_not_written(tmp_path, points, colors, message):
    with pytest.raises(ValueError, match=message):
        write_ply(tmp_path / "cloud.ply", points, colors)
    assert not (tmp_path / "cloud.ply").exists()
