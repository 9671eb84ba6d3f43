"""PLY files: what is written can be read, what is damaged is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyro_mmvae.data.ply import read_ply, write_ply

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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "end_header"),
        ("solid stl\n" * 5000, "end_header"),
        ("off\nend_header\n", "expected a PLY file"),
        ("ply\nformat\nend_header\n", "expected a PLY file"),
        (HEADER.format("latin", XYZ), "expected a PLY file"),
        ("ply\nformat ascii 1.0\nelement face 2\nend_header\n", "element vertex"),
        (HEADER.format("ascii", XYZ).replace("2", "-2"), "element vertex"),
        (HEADER.format("ascii", "property float x\nproperty float y"), "x, y and z"),
        (HEADER.format("ascii", XYZ + "\nproperty float x"), "each name once"),
        (HEADER.format("ascii", "property list uchar int x"), "plain types"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n", "cut short"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 5\n", "cut short"),
        (HEADER.format("ascii", XYZ) + "1 2 3\n4 5 six\n", "numbers only"),
        (HEADER.format("binary_little_endian", XYZ) + "1234567890", "cut short"),
        (HEADER.format("binary_little_endian", XYZ).replace("x 2", "x 99999999999"), "cut short"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "cloud.ply"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
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
