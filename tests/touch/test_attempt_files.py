"""Files of Vision&Touch: what is read of them, and what is refused before it is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import touch_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from pyro_mmvae.touch import attempt_file
from pyro_mmvae.touch.attempt_file import AttemptFile, BadFileError
from pyro_mmvae.touch.layout import ACTION, DEPTH, FORCE, RGB, SENSORS


def refused(path):
    with pytest.raises(BadFileError) as error, AttemptFile(path):
        pass
    return error.value


def outcome(call):
    """What a call returns, or why the file is refused."""
    try:
        return call()
    except BadFileError as error:
        return error


def test_arrays_are_read_as_they_stand(tmp_path):
    held = touch_factory.write(tmp_path / "a.h5")
    with AttemptFile(tmp_path / "a.h5") as file:
        assert (file.steps, file.side) == (5, 16)
        np.testing.assert_array_equal(file.read(RGB, 3), held["image"][3])
        np.testing.assert_array_equal(file.read(DEPTH, 3), held["depth_data"][3, ..., 0])
        np.testing.assert_array_equal(file.read(FORCE, 3), held["ee_forces_continuous"][3])
        np.testing.assert_array_equal(file.read(ACTION), held["action"])


def test_pictures_may_have_their_channels_first_and_depth_none(tmp_path):
    held = touch_factory.arrays()
    other = {"image": held["image"].transpose(0, 3, 1, 2), "depth_data": held["depth_data"][..., 0]}
    touch_factory.write(tmp_path / "a.h5", other)
    with AttemptFile(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file.read(RGB, 1), held["image"][1])
        np.testing.assert_array_equal(file.read(DEPTH, 1), held["depth_data"][1, ..., 0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"action": None}, "without an array"),
        ({"image": np.zeros((5, 16, 16, 4), np.uint8)}, "of another shape"),
        ({"image": np.zeros((5, 16, 12, 3), np.uint8)}, "of another shape"),
        ({"image": np.zeros((5, 16, 16, 3), np.float32)}, "of another type"),
        ({"depth_data": np.zeros((5, 8, 8, 1), np.float32)}, "of another shape"),
        ({"ee_forces_continuous": np.zeros((5, 31, 6), np.float32)}, "of another shape"),
        ({"ee_forces_continuous": np.zeros((5, 50, 3), np.float32)}, "of another shape"),
        ({"action": np.zeros((4, 4), np.float32)}, "of another shape"),
        ({"action": np.zeros((5, 4), np.complex64)}, "of another type"),
        ({"action": np.array([b"x"] * 20).reshape(5, 4)}, "of another type"),
        ({"action": 1.0}, "of another shape"),
        (touch_factory.arrays(steps=1), "of another shape"),
    ],
)
def test_other_arrays_are_refused(tmp_path, content, reason):
    touch_factory.write(tmp_path / "a.h5", content)
    assert refused(tmp_path / "a.h5").reason == reason


def other_file(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["action"] = np.zeros((5, 4), np.float32)
    return tmp_path / "secret.h5"


def external_link(file, tmp_path):
    file["action"] = h5py.ExternalLink(str(other_file(tmp_path)), "action")


def soft_link(file, tmp_path):
    file["action"] = h5py.SoftLink("/action")


def virtual_array(file, tmp_path):
    layout = h5py.VirtualLayout((5, 4), np.float32)
    layout[:] = h5py.VirtualSource(str(other_file(tmp_path)), "action", (5, 4))
    file.create_virtual_dataset("action", layout)


def external_storage(file, tmp_path):
    (tmp_path / "secret").write_bytes(b"\0" * 80)
    file.create_dataset("action", (5, 4), np.float32, external=[(str(tmp_path / "secret"), 0, 80)])


@pytest.mark.parametrize("lead", [external_link, soft_link, virtual_array, external_storage])
def test_a_file_that_leads_elsewhere_is_refused(tmp_path, lead):
    touch_factory.write(tmp_path / "a.h5", {"action": None})
    with h5py.File(tmp_path / "a.h5", "a") as file:
        lead(file, tmp_path)
    assert refused(tmp_path / "a.h5").reason == "that lead out of themselves"


def test_a_group_in_place_of_an_array_is_refused(tmp_path):
    touch_factory.write(tmp_path / "a.h5", {"action": None})
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_group("action")
    assert refused(tmp_path / "a.h5").reason == "without an array"


def test_what_would_fill_the_memory_is_refused_unread(tmp_path):
    for name, shape, chunks in (("array", (10**6, 10**6, 6), (1, 50, 6)), ("chunk", (5, 50, 6), (1, 10**7, 6))):
        path = tmp_path / f"{name}.h5"
        touch_factory.write(path, {"ee_forces_continuous": None})
        with h5py.File(path, "a") as file:  # nothing is stored for what was not written
            most = (None, None, 6) if name == "chunk" else None
            file.create_dataset("ee_forces_continuous", shape, "f8", chunks=chunks, maxshape=most, compression=1)
        assert path.stat().st_size < 10**6
        error = refused(path)
        assert error.reason == "too large"
        assert name in error.detail


@pytest.mark.parametrize("content", [b"", b"no HDF5 file", b"\x89HDF\r\n\x1a\n" + b"\0" * 200])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert refused(tmp_path / "a.h5").reason == "damaged"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("touch") / "good.h5"
    touch_factory.write(path)
    return path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_refused_or_leaves_arrays_of_the_right_shape(good, data):
    content = bytearray(good)
    places = data.draw(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=20))
    for place, value in places:
        content[place] = value
    cut = data.draw(st.none() | st.integers(0, len(good)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.h5")
        path.write_bytes(content[:cut])
        file = outcome(lambda: AttemptFile(path))
        if isinstance(file, BadFileError):
            return
        with file:
            shapes = {RGB: (file.side, file.side, 3), DEPTH: (file.side, file.side), ACTION: (4,)}
            for name in SENSORS:
                value = outcome(lambda name=name: file.read(name, file.steps - 1))
                if isinstance(value, BadFileError):
                    assert value.reason == attempt_file.DAMAGED
                else:
                    assert value.shape == shapes.get(name, value.shape)


@settings(max_examples=60, deadline=None)
@given(
    image=st.lists(st.integers(0, 9), max_size=5),
    force=st.lists(st.sampled_from([0, 1, 5, 6, 50]), max_size=4),
    kind=st.sampled_from(["u1", "i8", "f4", "f8", "c8", "?", "S3", "V4"]),
)
def test_arrays_of_any_shape_and_type_are_read_or_refused(image, force, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.h5")
        touch_factory.write(path, {"image": np.zeros(image, np.uint8), "ee_forces_continuous": np.zeros(force, kind)})
        file = outcome(lambda: AttemptFile(path))
        if isinstance(file, BadFileError):
            assert file.reason in ("of another shape", "of another type")
        else:
            with file:
                assert file.read(FORCE, 0).shape == (50, 6)
