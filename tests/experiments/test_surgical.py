"""The surgical experiment beyond the contract: real layouts, settings, splits, noise of sensors, published numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from surgical_factory import write_surgical

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.common import configuration, driver, runs
from pyro_mmvae.experiments.surgical.config import Config
from pyro_mmvae.experiments.surgical.presets import published
from pyro_mmvae.surgical.evaluation import judge

SMALL = [*Config.tiny, "--epochs", "1", "--device", "cpu", "--no-figures", "--workers", "0", "--pretrained", "False"]
"""After `--data`, whose preset is sized for a GPU."""
SIZES = ["--latent-dim", "4", "--stem-stride", "1"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_surgical(tmp_path_factory.mktemp("set"))


def run(root, folder, *more):
    out = folder / "run"
    driver.main("surgical", ["--data", str(root), *SMALL, *SIZES, "--out", str(out), *more])
    return out, json.loads((out / "metrics.json").read_text())


def test_real_layout_and_an_opened_run(root, tmp_path):
    out, metrics = run(root, tmp_path)
    assert list(metrics["posteriors"]) == ["rgb", "cloud", "joint"]
    assert metrics["samples"]["used"] == 4
    opened = runs.open_run(out)
    again = judge(opened.loss, opened.experiment.data().judged_views(), 0).scores()
    for name, scores in metrics["posteriors"].items():
        assert again[name]["iou"] == pytest.approx(scores["iou"])
        assert set(scores) >= {"iou", "f1", "iou_by_class", "f1_by_class", "summed", "per_sample", "chamfer"}
    assert {view.scene for view in opened.experiment.data().parts["judged"]} == {6, 7}
    columns = driver.experiment_class("surgical").columns(metrics)
    assert next(iter(columns)) == "IoU, rgb"


@pytest.mark.parametrize(
    ("setting", "posteriors"), [("rc2s", ["rgb", "cloud", "joint"]), ("r2s", ["rgb"]), ("c2s", ["cloud"])]
)
def test_settings(root, tmp_path, setting, posteriors):
    _, metrics = run(root, tmp_path, "--setting", setting, "--encoder", "conv")
    assert list(metrics["posteriors"]) == posteriors
    assert list(metrics["sweep"]) == [name for name in posteriors if name != "joint"]
    assert "chamfer" not in metrics["posteriors"][posteriors[0]]


def test_noise_acts_on_its_sensor_and_its_share(root, tmp_path):
    words = [
        "--pixel-corruption",
        "0.5",
        "--cloud-noise",
        "1",
        "--corrupted-share",
        "1",
        "--cloud-corrupted-share",
        "0",
    ]
    _, metrics = run(root, tmp_path, *words, "--split", "views")
    assert list(metrics["weights"]["rgb"]) == ["corrupted"]
    assert list(metrics["weights"]["cloud"]) == ["clean"]
    config = configuration.parse_run(Config, ["--data", str(root), *SMALL, *SIZES, *words, "--corrupt", "test"], "")
    data = driver.experiment_class("surgical")(config).data()
    assert not data.train._sample(data.train.views[0], next(iter(draws()))).spoils["rgb"]
    clean, spoilt = (next(iter(data.judged_under({"rgb": level}))).batch for level in (0.0, 0.5))
    assert torch.equal(clean.data["cloud"], spoilt.data["cloud"])
    changed = (clean.data["rgb"] != spoilt.data["rgb"]).any(1).float().mean()
    assert 0.4 < changed < 0.55


def draws():
    return Draws(torch.tensor([0])).each()


def test_bad_views_are_told(root, tmp_path, capsys):
    bad = write_surgical(tmp_path / "set")
    (bad / "depth_random_views/random_views/scene_1/depth/depth0000.exr").write_bytes(b"no picture")
    (bad / "segmentation_random_views/random_views/scene_6/segmentation/segmentation0001.png").unlink()
    with pytest.warns(UserWarning, match=r"unreadable depth \(first: scene_1/0000"):
        _, metrics = run(bad, tmp_path, "--preload", "True")
    assert metrics["samples"]["used"] == 3
    assert "no mask (first: scene_6/0001)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--num-points", "10"], "--num-points: expected a square number"),
        (["--map-size", "24"], "--map-size: expected a power of two"),
        (["--image-size", "16"], "--image-size: expected at least 32"),
        (["--test-scenes", "9"], "--test-scenes: expected"),
        (["--test-scenes", "1", "2", "3", "4", "5", "6", "7"], "expected views to train and to test on, got 0 and 14"),
        (["--intrinsics", "0", "1", "2", "3"], "--intrinsics: expected"),
        (["--data", "nowhere"], "expected views such as"),
        (["--pixel-levels", "2"], "--pixel-levels: expected"),
    ],
)
def test_mistakes_end_in_one_line(root, tmp_path, words, message, capsys):
    with pytest.raises(SystemExit) as error:
        run(root, tmp_path, *words)
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_set_without_a_camera_says_so_unless_one_is_given(tmp_path, capsys):
    root = write_surgical(tmp_path / "set")
    (root / "intrinsics.txt").unlink()
    with pytest.raises(SystemExit):
        run(root, tmp_path / "a")
    assert "intrinsics.txt: expected the camera's matrix" in capsys.readouterr().err
    _, metrics = run(root, tmp_path / "b", "--intrinsics", "20", "20", "11.5", "7.5")
    assert metrics["samples"]["used"] == 4
    _, metrics = run(root, tmp_path / "c", "--setting", "r2s")  # no cloud, no camera
    assert np.isfinite(metrics["posteriors"]["rgb"]["iou"])


def test_published_numbers_are_of_the_same_thing():
    config = dict.fromkeys(("samples",)) | {
        "data": "DIR", "judge": "test", "setting": "rc2cs", "guide": "gpoe", "cloud_noise": 0.0,
        "pixel_corruption": 0.5,
    }  # fmt: skip
    assert published(config, "rgb") == (0.7078, 0.8281)
    others = [("data", None), ("judge", "validation"), ("setting", "r2s"), ("samples", 0.2), ("pixel_corruption", 0.3)]
    for name, value in others:
        assert published(config | {name: value}, "rgb") == (None, None)
    assert published(config, "joint") == (None, None)
