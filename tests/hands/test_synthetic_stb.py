"""A synthetic set in STB's layout: what its files hold, that cameras agree, and how it is made."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stb_factory import ORDER_OF_FILES

from pyro_mmvae.data.mat_file import read_mat
from pyro_mmvae.hands.batch import collate
from pyro_mmvae.hands.geometry import project
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.stb_format import (
    ALL_SEQUENCES,
    PICTURES,
    SEQUENCES,
    SK_DEPTH,
    decode_depth,
    label_path,
    picture_path,
)
from pyro_mmvae.hands.synthetic import generate_stb, sample_stb_frame
from pyro_mmvae.hands.synthetic.__main__ import main
from pyro_mmvae.hands.synthetic.stb_scene import setting_of
from pyro_mmvae.rendering.raster import rasterise

GENERATE_MODULE = generate_stb.__module__


def make(root: Path, num_train: int = 3, num_eval: int = 2, seed: int = 0, workers: int = 1) -> Path:
    return generate_stb(root, num_train, num_eval, seed, workers=workers, progress=False)


def digest(root: Path) -> dict[str, object]:
    """Every picture's contents, and the numbers in the labels, whose files tell when they were written."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): contents(path) for path in files}


def contents(path: Path) -> object:
    if path.suffix == ".mat":
        return read_mat(path, "handPara").tolist()
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("set") / "hands", num_train=11)


def frames(split):
    return 11 if split == "training" else 2


@pytest.mark.parametrize("split", SEQUENCES)
def test_files_are_those_of_stb(finished, split):
    for position, sequence in enumerate(SEQUENCES[split]):
        count = len(range(position, frames(split), len(SEQUENCES[split])))
        for rig in ("SK", "BB"):
            assert read_mat(label_path(finished, sequence, rig), "handPara").shape == (3, 21, count)
        for name in (*(picture.name for picture in PICTURES), "SK_depth"):
            for frame in range(count):
                image = np.asarray(Image.open(picture_path(finished, sequence, name, frame)))
                assert image.shape == (480, 640, 3)
            assert not picture_path(finished, sequence, name, count).exists()


@pytest.mark.parametrize("camera", ["sk", "bb", "bb_left", "bb_right"])
def test_the_reader_takes_it_whole(finished, camera):
    for split in SEQUENCES:
        modalities = ("rgb", "pose", "heatmap", *(("cloud",) if camera == "sk" else ()))
        dataset = STB(finished, split, camera=camera, image_size=32, modalities=modalities)
        assert len(dataset) == frames(split) * (2 if camera == "bb" else 1)
        made = collate([dataset[index] for index in range(len(dataset))])
        assert not made.skipped
        assert made.hands.visible.all()


@pytest.fixture(scope="module")
def scene():
    """A frame, and the meshes and cameras that were rendered for it: three pictures, then depth."""
    drawn = []

    def render(vertices, faces, camera, height, width):
        drawn.append((vertices, camera))
        return rasterise(vertices, faces, camera, height, width)

    sample = sample_stb_frame(np.random.default_rng(5), setting_of(0, "B2Counting"), True, render)
    return sample, drawn


def test_one_hand_is_seen_by_all_cameras_from_where_they_stand(scene):
    sample, drawn = scene
    in_depth = drawn[3][0]
    for picture, (vertices, camera) in zip(PICTURES, drawn[:3], strict=True):
        np.testing.assert_array_equal(camera, picture.camera)
        joints = picture.to_camera(sample.joints[picture.rig])
        # Distances from joints to the skin are those in the depth camera's coordinates: nothing but a motion.
        expected = np.linalg.norm(in_depth[:, None] - sample.joints["SK"], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(vertices[:, None] - joints, axis=-1), expected, atol=1e-9)
        uv = project(joints, camera)
        assert ((uv > 0) & (uv < [640, 480])).all()
    assert np.linalg.det(np.linalg.lstsq(in_depth - in_depth[0], drawn[1][0] - drawn[1][0][0])[0]) == pytest.approx(1)


def test_the_stereo_pair_is_rectified(scene):
    sample, _ = scene
    left, right = (project(p.to_camera(sample.joints["BB"]), p.camera) for p in PICTURES[1:])
    np.testing.assert_allclose(left[:, 1], right[:, 1])
    disparity = 822.79041 * 0.120054 / sample.joints["BB"][:, 2]
    np.testing.assert_allclose(left[:, 0] - right[:, 0], disparity)


def test_depth_is_that_of_the_skin_over_the_joints(finished):
    """Skin is in front of the joints, in most places by no more than fingers are thick."""
    thickness: list[float] = []
    for sequence in ALL_SEQUENCES:
        labels = read_mat(label_path(finished, sequence, "SK"), "handPara")[:, ORDER_OF_FILES]
        for frame in range(labels.shape[2]):
            image = np.asarray(Image.open(picture_path(finished, sequence, "SK_depth", frame)))
            joints = labels[:, :, frame].T / 1000
            u, v = project(joints, SK_DEPTH).round().astype(int).T
            before = joints[:, 2] - decode_depth(image)[v, u]
            assert (before > -0.02).all()
            thickness.extend(before)
    assert np.median(thickness) < 0.02


def test_a_larger_set_holds_the_smaller_whatever_makes_it_and_another_seed_is_another_set(finished, tmp_path):
    small, other = digest(make(tmp_path / "small", 1, 1, workers=2)), digest(make(tmp_path / "other", 1, 1, seed=1))
    assert small["labels/B1Counting_SK.mat"] == digest(finished)["labels/B1Counting_SK.mat"]
    assert small["labels/B1Random_SK.mat"] == [[[] for _ in range(21)] for _ in range(3)]
    images = [name for name in small if name.endswith(".png")]
    assert all(small[name] == digest(finished)[name] != other[name] for name in images)
    assert len(images) == 8  # of two frames


def test_a_finished_set_is_left_as_it_is_and_others_are_not_touched(finished, tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    monkeypatch.setattr(f"{GENERATE_MODULE}.sample_stb_frame", None)  # rendering would fail
    assert make(finished, 11) == finished
    with pytest.raises(FileExistsError, match=r"other settings.*another folder"):
        make(finished, 12)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_set_cut_short_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{GENERATE_MODULE}.savemat", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "hands", 1, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_train": 0}, "at least one"),
        ({"num_eval": 20_001}, "at most"),
        ({"seed": -1}, "seed"),
        ({"renderer": "magic"}, "numpy"),
        ({"workers": 0}, "at least one process"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    settings = {"num_train": 1, "num_eval": 1, "seed": 0, **arguments}
    with pytest.raises(ValueError, match=message):
        generate_stb(tmp_path / "hands", **settings, progress=False)
    assert not (tmp_path / "hands").exists()


def test_command_line(tmp_path, capsys):
    arguments = ["--layout", "stb", "--out", str(tmp_path / "hands"), "--train", "2", "--eval", "1", "--quiet"]
    main([*arguments, "--workers", "1", "--preview", str(tmp_path / "sheet.png")])
    assert "2 training and 1 evaluation" in capsys.readouterr().out
    assert Image.open(tmp_path / "sheet.png").size == (4 * 320, 2 * 240)
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--size", "320"])
    assert error.value.code == 2
    assert "640 x 480" in capsys.readouterr().err
