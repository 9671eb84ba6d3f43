import functools
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyro_mmvae.data.restricted_pickle import UnsafePickleError, restricted_load, restricted_loads

ARRAYS = {
    0: np.arange(6.0).reshape(2, 3),
    1: np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    2: np.float32(1.5),
    3: np.array([True, False]),
    4: np.zeros((0, 3), dtype=">f4"),
}


class Calls:
    """Pickles to a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_come_back(protocol):
    value = {"arrays": ARRAYS, "plain": [1, 2.5, "ü", b"\xff\x00", None, True, (1, 2), {3}, OrderedDict(a=1)]}
    loaded = restricted_loads(pickle.dumps(value, protocol))
    assert loaded["plain"] == value["plain"]
    for key, array in pickle.loads(pickle.dumps(ARRAYS, protocol)).items():
        assert loaded["arrays"][key].dtype == array.dtype
        np.testing.assert_array_equal(loaded["arrays"][key], array)


@pytest.mark.parametrize(("old", "new"), [(b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")])
def test_pickles_of_numpy_1_and_2(old, new):
    data = pickle.dumps({0: np.arange(3.0), 1: np.float64(2)}, protocol=2).replace(old, new)
    loaded = restricted_loads(data)
    np.testing.assert_array_equal(loaded[0], [0, 1, 2])
    assert loaded[1] == 2


def test_pickle_of_python_2():
    raw = np.array([0.1, -1e300, np.pi]).tobytes()
    data = (
        b"\x80\x02}K\x07}U\x03xyzcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbss."
    )
    np.testing.assert_array_equal(restricted_loads(data)[7]["xyz"], [0.1, -1e300, np.pi])


MALICIOUS = {
    "posix.system": Calls(os.system, "touch {target}"),
    "builtins.eval": Calls(eval, "open({target!r}, 'w')"),
    "builtins.open": Calls(open, "{target}", "w"),
    "functools.partial": Calls(functools.partial, print),
    "builtins.getattr": Calls(getattr, np.ndarray, "tofile"),
    "numpy.save": Calls(np.save, "{target}", 1),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", MALICIOUS)
@pytest.mark.parametrize("inside_array", [False, True])
def test_malicious_pickles_are_refused_by_name_and_not_run(tmp_path, name, protocol, inside_array):
    target = tmp_path / "ran"
    function, arguments = MALICIOUS[name].call
    filled = [one.format(target=str(target)) if isinstance(one, str) else one for one in arguments]
    call = Calls(function, *filled)
    value = {0: np.array([call], dtype=object)} if inside_array else {0: call}
    path = tmp_path / "evil.pickle"
    path.write_bytes(pickle.dumps(value, protocol))
    with pytest.raises(pickle.UnpicklingError, match=r"refused to load (\w|\.)*" + name.split(".")[1]) as caught:
        restricted_load(path)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_dotted_names_do_not_reach_into_admitted_types():
    data = b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93."
    with pytest.raises(pickle.UnpicklingError, match=r"numpy\.ndarray\.tofile"):
        restricted_loads(data)


def test_attributes_of_what_is_admitted_cannot_be_set():
    # BUILD with (None, {"__defaults__": (7,)}) on an admitted function.
    data = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(N}U\x0c__defaults__K\x07\x85stb."
    with pytest.raises(pickle.UnpicklingError, match="refused to set attributes"):
        restricted_loads(data)
    np.testing.assert_array_equal(restricted_loads(pickle.dumps(np.arange(3), 2)), [0, 1, 2])


def test_other_codecs_are_refused():
    data = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."
    with pytest.raises(pickle.UnpicklingError, match="latin1"):
        restricted_loads(data)


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps(ARRAYS)[:-20], b"\x80\x04R."])
def test_damaged_pickles_say_so(data):
    with pytest.raises(pickle.UnpicklingError, match="damaged"):
        restricted_loads(data)


def test_text_pickle_of_python_2():
    data = (
        b"(dp1\nS'it\\'s \\xff'\np2\n(lp3\nI1\naI01\naI00\naL5L\naL-7\naF-1.5\naNa(I1\nI2\ntp4\nasVcaf\xe9\n"
        b"g4\nsS'o'\nccollections\nOrderedDict\n((lp5\n(lp6\nS'a'\naI1\naatRs."
    )
    expected = {"it's ÿ": [1, True, False, 5, -7, -1.5, None, (1, 2)], "café": (1, 2), "o": OrderedDict(a=1)}
    assert restricted_loads(data) == expected
    assert restricted_loads(b"\x80\x02}q\x01U\x01aT\x02\x00\x00\x00\xff\x00s.") == {"a": "ÿ\0"}


KINDS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.byte_string_dtypes(endianness="?", max_len=5),
    hnp.unicode_string_dtypes(endianness="?", max_len=5),
)
NUMERIC = hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
PROTOCOLS = st.integers(0, pickle.HIGHEST_PROTOCOL)


def same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


@given(NUMERIC, PROTOCOLS, st.permutations(range(4)))
def test_arrays_are_what_pickle_makes_of_them(array, protocol, axes):
    turned = array.transpose([axis for axis in axes if axis < array.ndim])
    scalars = [array.dtype.type(value) for value in array.ravel()[:1]]
    data = pickle.dumps([array, turned, np.asfortranarray(array), *scalars], protocol)
    for found, expected in zip(restricted_loads(data), pickle.loads(data), strict=True):
        same(found, expected)
        if isinstance(found, np.ndarray):
            assert found.flags.writeable
            assert found.flags.aligned


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**500), 2**500),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
)
KEYS = ATOMS | st.tuples(ATOMS, ATOMS)
PLAIN = st.recursive(
    st.one_of(ATOMS, st.binary(max_size=5).map(bytearray), st.sets(KEYS, max_size=3), st.frozensets(KEYS, max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict),
    ),
    max_leaves=10,
)


@given(PLAIN, PROTOCOLS)
def test_plain_values_come_back(value, protocol):
    found = restricted_loads(pickle.dumps([value, value], protocol))
    assert repr(found) == repr([value, value]) or found == [value, value]


PLAIN_TYPES = (int, float, bool, complex, str, bytes, bytearray, type(None))


def assert_plain(value):
    if isinstance(value, dict):
        assert type(value) in (dict, OrderedDict)
        value = [*value.keys(), *value.values()]
    if type(value) in (list, tuple, set, frozenset):
        for one in value:
            assert_plain(one)
    elif isinstance(value, np.ndarray | np.generic):
        assert value.dtype.kind in "biufcSU"
        repr(value)
    else:
        assert type(value) in PLAIN_TYPES


SOUND = [
    pickle.dumps(value, protocol)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    for value in (
        {0: np.arange(6.0).reshape(2, 3), "b": np.array([True, False]), "f": np.asfortranarray(np.eye(2, dtype=">i2"))},
        [{1, 2}, OrderedDict(a=(1, 2.5)), b"x", np.float32(1), "text", 10**20, np.array(["ab", "c"]), frozenset("a")],
    )
]
PIECES = st.binary(max_size=3) | st.sampled_from([bytes([code]) for code in b"\x94\x93Rbhq(tus"])
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), PIECES), min_size=1, max_size=6)


@given(st.sampled_from(SOUND), EDITS)
def test_whatever_is_changed_gives_plain_values_or_the_error(data, edits):
    for place, removed, added in edits:
        start = int(place * len(data))
        data = data[:start] + added + data[start + removed :]
    try:
        value, message = restricted_loads(data), ""
    except UnsafePickleError as error:
        value, message = None, str(error)
    assert_plain(value)
    assert "\n" not in message
    assert len(message) < 500


def test_the_error_is_one_that_pickle_and_commands_know():
    assert issubclass(UnsafePickleError, pickle.UnpicklingError)
    assert issubclass(UnsafePickleError, ValueError)
