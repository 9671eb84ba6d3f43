import functools
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from pyro_mmvae.data.restricted_pickle import restricted_load, restricted_loads

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


def test_attributes_set_by_a_pickle_do_not_stay():
    # BUILD with (None, {"__defaults__": (7,)}) on an admitted function.
    data = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(N}U\x0c__defaults__K\x07\x85stb."
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
