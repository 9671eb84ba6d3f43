"""IDX files: nothing is read or decompressed beyond what the head announces."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pyro_mmvae.data.idx import MAX_VALUES, read_idx


def idx(*shape, values=b""):
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape) + values


@settings(max_examples=50, deadline=None)
@given(array=arrays(np.uint8, array_shapes(max_dims=4)), packed=st.booleans())
def test_arrays_come_back(tmp_path_factory, array, packed):
    content = idx(*array.shape, values=array.tobytes())
    path = tmp_path_factory.getbasetemp() / ("values.gz" if packed else "values")
    path.write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(read_idx(path), array)


FAULTS = {
    "empty": b"",
    "other type": b"\0\0\x0d\1" + bytes(8),
    "many dimensions": idx(*[1] * 200, values=b"x"),
    "head cut short": idx(2, 3)[:-1],
    "values cut short": idx(2, 3, values=bytes(5)),
    "values left over": idx(2, 3, values=bytes(7)),
    "announces what no file holds": idx(2**32 - 1, 2**32 - 1, values=bytes(5)),
    "announces too much": idx(MAX_VALUES + 1, values=bytes(5)),
    "announces much": idx(MAX_VALUES, values=bytes(5)),
    "expands beyond what it announces": idx(3, values=bytes(2**26)),
}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("fault", FAULTS)
def test_bad_files_are_named_in_one_line_and_cost_little(tmp_path, fault, ending):
    path = tmp_path / f"values{ending}"
    path.write_bytes(gzip.compress(FAULTS[fault]) if ending else FAULTS[fault])
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"^{path}: ") as refused:
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(refused.value)
    assert peak < 2**22


def test_every_damaged_byte_of_a_packed_file_is_noticed(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, 40, dtype=np.uint8)
    whole, path = gzip.compress(idx(40, values=values.tobytes())), tmp_path / "values.gz"
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            try:
                found = read_idx(path)
            except ValueError as error:
                assert str(path) in str(error)  # noqa: PT017 - bytes of the gzip header that change nothing are fine
            else:
                np.testing.assert_array_equal(found, values)
