"""Corrupted STB files are skipped with a count and a reason, or refused in one line; they neither crash nor mislead."""

import warnings

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from stb_factory import color_to_depth, save_labels, write_stb

from pyro_mmvae.command import run_command
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.hands.batch import Skipped
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.stb_format import label_path, picture_path

SEQUENCE, NUMBER, BAD = "B1Counting", 4, 1
EMPTY = "B1Random"


@pytest.fixture
def joints(tmp_path):
    """A set with both sequences of the evaluation split, one of them empty; the joints of the other."""
    truth = write_stb(tmp_path, (SEQUENCE,), NUMBER)
    for rig in ("SK", "BB"):
        save_labels(tmp_path, EMPTY, rig, [])
    return truth[SEQUENCE]["sk"]


def load(root, **options):
    return STB(root, "evaluation", **({"image_size": 32, "progress": False} | options))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def as_jpeg(path):
    Image.open(path).copy().save(path, format="JPEG", quality=95)


def filled(millimetres):
    image = np.empty((480, 640, 3), np.uint8)
    image[:] = (millimetres % 256, millimetres // 256, 0)
    return lambda path: Image.fromarray(image).save(path)


FILE_FAULTS = {
    "truncated color": ("SK_color", truncate, "unreadable color image"),
    "empty color": ("SK_color", lambda path: path.write_bytes(b""), "unreadable color image"),
    "folder for a color": ("SK_color", lambda path: (path.unlink(), path.mkdir()), "unreadable color image"),
    "small color": (
        "SK_color",
        lambda path: Image.open(path).resize((320, 240)).save(path),
        "color image of the wrong size",
    ),
    "truncated depth": ("SK_depth", truncate, "unreadable depth image"),
    "JPEG depth": ("SK_depth", as_jpeg, "unreadable depth image"),
    "grey depth": ("SK_depth", lambda path: Image.open(path).convert("L").save(path), "unreadable depth image"),
    "small depth": (
        "SK_depth",
        lambda path: Image.open(path).resize((320, 240)).save(path),
        "depth image of the wrong size",
    ),
    "nothing measured": ("SK_depth", filled(0), "empty cloud"),
    "depth far off": ("SK_depth", filled(4000), "empty cloud"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_bad_files_are_found_on_reading_and_left_out_of_the_batch(tmp_path, joints, fault):
    kind, damage, reason = FILE_FAULTS[fault]
    path = picture_path(tmp_path, SEQUENCE, kind, BAD)
    damage(path)
    dataset = load(tmp_path)
    (made,) = make_loader(dataset, NUMBER)
    assert [entry[:2] for entry in made.skipped] == [(BAD, reason)]
    assert made.hands.index.tolist() == [0, 2, 3]
    assert reason == "empty cloud" or made.skipped[0][2].startswith(str(path))
    with pytest.warns(UserWarning, match=f"3 samples used, 1 samples left out\n  1 {reason}"):
        assert load(tmp_path, preload=True).ids == [0, 2, 3]


LABEL_FAULTS = {
    "NaN": (np.nan, "NaN or infinite keypoints"),
    "infinite": (np.inf, "NaN or infinite keypoints"),
    "zero": (0.0, "NaN or infinite keypoints"),
    "behind the camera": (lambda hand: hand * [1, 1, -1], "hand behind the camera"),
    "tenths of millimetres": (lambda hand: hand * 10, "implausible hand size"),
    "out of the picture": (lambda hand: hand + np.array([2, 0, 0]), "no visible keypoint inside the image"),
}


@pytest.mark.parametrize("fault", LABEL_FAULTS)
def test_bad_labels_are_found_at_construction(tmp_path, joints, fault):
    change, reason = LABEL_FAULTS[fault]
    changed = color_to_depth(joints)
    changed[BAD] = change(changed[BAD]) if callable(change) else change
    save_labels(tmp_path, SEQUENCE, "SK", changed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = load(tmp_path)
    assert [str(one.message).splitlines()[0].endswith("3 samples used, 1 samples left out") for one in caught] == [True]
    assert dataset.ids == [0, 2, 3]
    assert dataset.skipped.total() == 1
    if fault != "zero":
        assert dataset.skipped == {reason: 1}


def test_pictures_and_labels_of_different_number(tmp_path, joints):
    picture_path(tmp_path, SEQUENCE, "SK_color", BAD).unlink()
    save_labels(tmp_path, SEQUENCE, "SK", color_to_depth(joints)[:3])
    (tmp_path / "images" / SEQUENCE / "SK_color_007.png").touch()  # not a name of the set
    with pytest.warns(UserWarning, match="2 samples used, 2 samples left out"):
        dataset = load(tmp_path)
    assert dataset.ids == [0, 2]
    assert dataset.skipped == {"missing color image": 1, "missing annotation": 1}


def test_a_sequence_without_labels_is_told(tmp_path, joints):
    label_path(tmp_path, EMPTY, "SK").unlink()
    said = r"4 samples used, 1 samples left out\n  1 missing sequence .*B1Random_SK\.mat"
    with pytest.warns(UserWarning, match=said):
        load(tmp_path)


def test_no_data_set_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no labels at .*B1Counting_SK\.mat: expected a folder in STB") as told:
        load(tmp_path / "nowhere")
    assert "images/B1Counting/..." in str(told.value)
    assert "\n" not in str(told.value)


def test_nothing_usable(tmp_path, joints):
    save_labels(tmp_path, SEQUENCE, "SK", 0 * joints)
    with pytest.raises(ValueError, match=r"got none; 4 samples left out(.|\n)*STB's layout"):
        load(tmp_path)


def test_pictures_of_another_size(tmp_path, joints):
    for frame in range(NUMBER):
        path = picture_path(tmp_path, SEQUENCE, "SK_color", frame)
        Image.open(path).resize((320, 240)).save(path)
    with pytest.raises(ValueError, match=r"SK_color_0\.png: expected 640 x 480 pixels .*got 320 x 240"):
        load(tmp_path)


def test_a_hand_at_the_edge_of_the_picture(tmp_path, joints):
    moved = joints + np.array([0.32 - joints[0, :, 0].mean(), 0, 0])
    save_labels(tmp_path, SEQUENCE, "SK", color_to_depth(moved))
    for augment in (False, True):
        sample = load(tmp_path, augment=augment, modalities=("rgb", "pose"))[0]
        assert not isinstance(sample, Skipped)
        assert 0 < sample.hand.visible.sum() < 21
        assert all(bool(value.isfinite().all()) for value in sample.data.values())


MAT_FAULTS = {
    "truncated": lambda path, labels: truncate(path),
    "empty": lambda path, labels: path.write_bytes(b""),
    "text": lambda path, labels: path.write_text("handPara"),
    "pickle": lambda path, labels: path.write_bytes(b"\x80\x04cos\nsystem\n"),
    "another name": lambda path, labels: savemat(path, {"hand": labels}),
    "another order": lambda path, labels: savemat(path, {"handPara": labels.T}),
    "too few joints": lambda path, labels: savemat(path, {"handPara": labels[:, :20]}),
    "one frame without its dimension": lambda path, labels: savemat(path, {"handPara": labels[:, :, 0]}),
    "too many frames": lambda path, labels: savemat(path, {"handPara": np.zeros((3, 21, 10_001), np.uint8)}),
    "an object": lambda path, labels: savemat(path, {"handPara": {"joints": labels}}),
    "a folder": lambda path, labels: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("fault", MAT_FAULTS)
def test_bad_label_files_are_refused_in_one_line_by_commands(tmp_path, joints, capsys, fault):
    path = label_path(tmp_path, SEQUENCE, "SK")
    MAT_FAULTS[fault](path, np.ones((3, 21, 4)))
    with pytest.raises(SystemExit) as stopped:
        run_command("command", lambda _: load(tmp_path), [])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"command: error: {path}: ")
    assert message.count("\n") == 1
