"""Arrays are read from MATLAB files as SciPy writes them; what is damaged or foreign is refused in one line."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.sparse import eye_array

from pyro_mmvae.data.mat_file import MAX_BYTES, BadMatFileError, read_mat

KINDS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
VALUES = np.random.default_rng(0).uniform(0, 100, (3, 21, 4))
HEADER = b" " * 124 + b"\x00\x01IM"


def saved(content, **options):
    file = io.BytesIO()
    savemat(file, content, **options)
    return file.getvalue()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mat"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 21, 4), (3, 21, 0), (1, 1), (2, 5)])
def test_values_come_back(path, kind, shape, compressed):
    values = np.resize(VALUES, shape).astype(kind)
    others = {"before": {"a": [1, "text"]}, "wanted": values, "after": np.array([{"b": 1}, "c"], dtype=object)}
    path.write_bytes(saved(others, do_compression=compressed))
    found = read_mat(path, "wanted")
    assert found.dtype == kind
    np.testing.assert_array_equal(found, values)


def test_whole_numbers_of_class_double_and_the_other_byte_order(path):
    """MATLAB stores them as bytes; files of other machines begin with the other byte."""
    parts = [(6, struct.pack(">II", 6, 0)), (5, struct.pack(">ii", 1, 3)), (1, b"x"), (2, bytes([1, 2, 255]))]
    body = b"".join(struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8) for kind, data in parts)
    path.write_bytes(b" " * 124 + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body)
    found = read_mat(path, "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[1, 2, 255]])


def compressed(body):
    packed = zlib.compress(body)
    return HEADER + struct.pack("<II", 15, len(packed)) + packed


PLAIN = saved({"x": VALUES})
FAULTS = {
    "empty": (b"", "expected a MATLAB file"),
    "text": (b"hello " * 50, "expected a MATLAB file"),
    "HDF5": (b" " * 124 + b"\x00\x02IM", "version 7.3"),
    "truncated": (PLAIN[:-100], "truncated"),
    "half a tag": (PLAIN + b"\x0e\x00\x00", "truncated"),
    "another name": (saved({"y": VALUES}), "expected one array 'x', got 0"),
    "twice": (PLAIN + PLAIN[128:], "expected one array 'x', got 2"),
    "text in it": (saved({"x": "text"}), "array of real numbers"),
    "a struct": (saved({"x": {"a": 1}}), "array of real numbers"),
    "cells": (saved({"x": np.array([{"a": 1}, 2], dtype=object)}), "array of real numbers"),
    "complex": (saved({"x": VALUES * 1j}), "array of real numbers"),
    "sparse": (saved({"x": eye_array(3, format="csc")}), "array of real numbers"),
    "larger than its bytes": (PLAIN.replace(struct.pack("<iii", 3, 21, 4), struct.pack("<iii", 3, 21, 10**9)), "bytes"),
    "negative size": (PLAIN.replace(struct.pack("<iii", 3, 21, 4), struct.pack("<iii", 3, 21, -4)), "dimensions"),
    "damaged packing": (compressed(PLAIN[128:])[:-3] + b"abc", "incorrect data check"),
    "truncated packing": (HEADER + struct.pack("<II", 15, 20) + zlib.compress(PLAIN[128:])[:20], "truncated"),
    "packed twice": (compressed(compressed(PLAIN[128:])[128:]), "an element of type 15"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_files(path, fault):
    content, message = FAULTS[fault]
    path.write_bytes(content)
    with pytest.raises(BadMatFileError, match=message) as refused:
        read_mat(path, "x")
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_a_bomb_is_not_unpacked(path):
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**24)) for _ in range(32)) + packer.flush()
    path.write_bytes(HEADER + struct.pack("<II", 15, len(packed)) + packed)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(BadMatFileError, match="when unpacked"):
        read_mat(path, "x")
    assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BYTES
    tracemalloc.stop()


def test_large_files_folders_and_none(tmp_path):
    with (tmp_path / "large.mat").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(BadMatFileError, match="at most"):
        read_mat(tmp_path / "large.mat", "x")
    with pytest.raises(BadMatFileError, match="folder"):
        read_mat(tmp_path, "x")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_mat(tmp_path / "none.mat", "x")


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    return tmp_path_factory.mktemp("mat") / "spoilt.mat"


MUTATION = st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4), st.booleans())


@given(st.booleans(), st.lists(MUTATION, min_size=1, max_size=6))
def test_a_damaged_file_is_read_or_refused(spoilt, compressed, mutations):
    content = bytearray(saved({"y": {"a": [1, "t"]}, "x": VALUES}, do_compression=compressed))
    for place, values, inserted in mutations:
        at = int(place * len(content))
        content[at : at if inserted else at + len(values)] = values
    spoilt.write_bytes(bytes(content))
    found = read_or_refusal(spoilt)
    if isinstance(found, str):
        assert found.startswith(f"{spoilt}: ")
        assert "\n" not in found
    else:
        assert found.dtype.kind in "fiu"


def read_or_refusal(path):
    try:
        return read_mat(path, "x")
    except BadMatFileError as error:
        return str(error)
