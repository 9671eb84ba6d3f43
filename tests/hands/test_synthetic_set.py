"""Making a set: files, cache, determinism, and what is left when it is cut short."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyro_mmvae.hands.rhd_format import SPLITS, annotation_path, read_annotations, sample_paths
from pyro_mmvae.hands.synthetic import contact_sheet, generate, sample_scene
from pyro_mmvae.hands.synthetic.__main__ import main
from pyro_mmvae.hands.synthetic.dataset import SETTINGS_FILE

GENERATE_MODULE = generate.__module__
SIZE = 64


def make(root: Path, num_train: int = 3, num_eval: int = 2, seed: int = 0, workers: int = 1) -> Path:
    return generate(root, num_train, num_eval, seed, workers=workers, image_size=SIZE, progress=False)


def digest(root: Path) -> dict[str, object]:
    """Every file's contents; of annotations their values, since equal pickles may differ in their bytes."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): contents(path) for path in files}


def contents(path: Path) -> object:
    if path.suffix != ".pickle":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return {index: {k: v.tolist() for k, v in one.items()} for index, one in read_annotations(path).items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("set") / "hands")


def test_files_are_those_of_rhd(finished):
    for split, count in zip(SPLITS, (3, 2), strict=True):
        annotations = read_annotations(annotation_path(finished, split))
        assert sorted(annotations) == list(range(count))
        for index, annotation in annotations.items():
            assert {key: value.shape for key, value in annotation.items()} == {
                "xyz": (42, 3),
                "uv_vis": (42, 3),
                "K": (3, 3),
            }
            color, depth, mask = (np.asarray(Image.open(path)) for path in sample_paths(finished, split, index))
            assert color.shape == depth.shape == (SIZE, SIZE, 3)
            assert mask.shape == (SIZE, SIZE)


def test_files_hold_what_was_drawn(finished):
    sample = sample_scene(np.random.default_rng([0, 1, 1]), SIZE)
    color, _, mask = (np.asarray(Image.open(path)) for path in sample_paths(finished, "evaluation", 1))
    np.testing.assert_array_equal(color, sample.color)
    np.testing.assert_array_equal(mask, sample.mask)
    annotation = read_annotations(annotation_path(finished, "evaluation"))[1]
    np.testing.assert_array_equal(annotation["xyz"], sample.xyz)


def test_same_seed_same_files_in_several_processes(finished, tmp_path):
    assert digest(make(tmp_path / "again", workers=2)) == digest(finished)


def test_another_seed_another_set_and_splits_differ(finished, tmp_path):
    other = make(tmp_path / "other", seed=1)
    name = "training/color/00000.png"
    assert digest(other)[name] != digest(finished)[name]
    assert digest(finished)["evaluation/color/00000.png"] != digest(finished)[name]


def test_a_larger_set_begins_with_the_smaller(finished, tmp_path):
    small, large = digest(finished), digest(make(tmp_path / "large", num_train=4))
    images = [name for name in small if name.endswith(".png")]
    assert all(small[name] == large[name] for name in images)
    assert len(large) == len(small) + 3


def test_a_finished_set_is_left_as_it_is(finished, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    monkeypatch.setattr(f"{GENERATE_MODULE}.sample_scene", None)  # rendering would fail
    assert make(finished) == finished
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_other_settings_are_an_error_that_says_what_to_do(finished):
    before = digest(finished)
    with pytest.raises(FileExistsError, match=r"other settings.*another folder"):
        make(finished, num_train=5)
    assert digest(finished) == before


def test_foreign_folders_are_not_touched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no finished synthetic set"):
        make(tmp_path / "photos")
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "me.txt"]


def test_damaged_settings(finished, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / SETTINGS_FILE).write_text("{")
    with pytest.raises(FileExistsError, match="is damaged"):
        make(tmp_path / "set")


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "hands").mkdir()
    make(tmp_path / "hands", 1, 1)
    assert json.loads((tmp_path / "hands" / SETTINGS_FILE).read_text())["num_train"] == 1


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_set_cut_short_leaves_nothing_and_can_be_made_again(tmp_path, monkeypatch, trouble):
    done = []

    def fail_at_the_third(*args: object) -> object:
        done.append(args)
        if len(done) == 3:
            raise trouble
        return sample_scene(*args)

    monkeypatch.setattr(f"{GENERATE_MODULE}.sample_scene", fail_at_the_third)
    with pytest.raises(type(trouble)):
        make(tmp_path / "hands")
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    make(tmp_path / "hands")


def test_two_that_make_the_same_set_at_once_do_not_collide(finished, tmp_path, monkeypatch):
    """The other one finishes between our look at the folder and the end of our work."""
    root = tmp_path / "hands"

    def other_first(*args: object) -> object:
        monkeypatch.undo()
        make(root)
        return sample_scene(*args)

    monkeypatch.setattr(f"{GENERATE_MODULE}.sample_scene", other_first)
    make(root)
    assert digest(root) == digest(finished)
    assert [path.name for path in tmp_path.iterdir()] == ["hands"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_train": 0}, "at least one"),
        ({"num_eval": -1}, "at least one"),
        ({"seed": -1}, "seed"),
        ({"image_size": 8}, "32 pixels"),
        ({"renderer": "magic"}, "numpy"),
        ({"workers": 0}, "at least one process"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    settings = {"num_train": 1, "num_eval": 1, "seed": 0, **arguments}
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "hands", **settings, progress=False)
    assert not (tmp_path / "hands").exists()


def test_command_line(tmp_path, capsys):
    arguments = ["--out", str(tmp_path / "hands"), "--train", "3", "--eval", "1", "--size", "64"]
    main([*arguments, "--workers", "1", "--quiet", "--preview", str(tmp_path / "sheet.png")])
    assert "3 training and 1 evaluation" in capsys.readouterr().out
    assert Image.open(tmp_path / "sheet.png").size == (2 * 4 * SIZE, 2 * SIZE)
    arguments[3] = "4"
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--quiet"])
    assert error.value.code == 2
    assert "other settings" in capsys.readouterr().err


def test_command_line_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--out", "--renderer", "--preview", "examples:"))


def test_contact_sheet_shows_the_images(finished, tmp_path):
    sheet = np.asarray(Image.open(contact_sheet(finished, tmp_path / "sheet.png", count=1)))
    color = np.asarray(Image.open(sample_paths(finished, "training", 0).color))
    np.testing.assert_array_equal(sheet[:SIZE, :SIZE], color)
    assert (sheet[:SIZE, SIZE : 2 * SIZE] != color).any()  # the skeleton
