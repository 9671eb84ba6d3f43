"""The touch experiment beyond the contract: numbers that mean what they say, failing sensors, files, mistakes."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
import torch
import touch_factory

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.touch import data as touch_data
from pyro_mmvae.experiments.touch.config import Config
from pyro_mmvae.experiments.touch.evaluation import mean_picture
from pyro_mmvae.experiments.touch.networks import StillDecoder, StillEncoder
from pyro_mmvae.touch.layout import DEPTH, RGB
from pyro_mmvae.touch.metrics import clustered, picture_errors


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where simulated attempts are kept for all tests of this file."""
    return tmp_path_factory.mktemp("attempts")


def run(out, kept, *more):
    words = [*Config.tiny, "--device", "cpu", "--out", str(out), "--no-figures", "--synthetic", str(kept), *more]
    driver.main("touch", words)
    return json.loads((out / "metrics.json").read_text())


def test_metrics_agree_with_what_an_opened_run_predicts(tmp_path, kept):
    metrics = run(tmp_path / "run", kept)
    assert set(metrics["posteriors"]) == {"force+action", "force", "action", "rgb", "depth", "joint"}
    assert metrics["baseline"]["without_force"] == metrics["posteriors"]["action"]
    opened = runs.open_run(tmp_path / "run")
    batch = next(iter(opened.experiment.data().judged(1000)))
    with torch.no_grad():
        z = opened.loss.guide.point(batch.given(["force", "action"]))
        found = picture_errors(
            *(opened.loss.model.predict(z, n) for n in (RGB, DEPTH)), batch.data[RGB], batch.data[DEPTH]
        )
    whole = metrics["samples"]["judged"]
    assert len(found.rgb) == min(opened.experiment.config.batch_size, whole)
    shares = metrics["observed"]
    assert shares == dict.fromkeys(shares, 1.0)
    gain = metrics["gain"]["force+action over action"]["psnr"]
    scores = metrics["posteriors"]
    assert gain == pytest.approx(scores["force+action"]["psnr"] - scores["action"]["psnr"], abs=1e-3)


def test_pictures_begin_with_the_mean_of_the_training_samples(tmp_path, kept):
    run(tmp_path / "run", kept, "--learning-rate", "0")
    opened = runs.open_run(tmp_path / "run")
    mean, deviations = mean_picture(opened.experiment.data().train)
    for name in (RGB, DEPTH):
        decoder, encoder = opened.loss.model.decoders[name], opened.loss.guide.encoders[name]
        assert isinstance(decoder, StillDecoder)
        assert isinstance(encoder, StillEncoder)
        torch.testing.assert_close(decoder.still.detach(), mean[name])
        torch.testing.assert_close(encoder.still, mean[name])
        assert float(encoder.deviation) == pytest.approx(deviations[name])


def test_sensors_fail_in_the_judged_samples_and_not_in_what_they_are_compared_with(tmp_path, kept):
    run(tmp_path / "run", kept, "--failing", "rgb", "--corrupt", "test")
    data = runs.open_run(tmp_path / "run").experiment.data()
    rows = touch_data.Draws(torch.arange(len(data.samples)))
    judged, truth = data.samples.batch(rows), data.truth.batch(rows)
    assert not torch.allclose(judged.data[RGB], truth.data[RGB])
    assert torch.equal(judged.data[DEPTH], truth.data[DEPTH])
    assert not data.train.failing.sensors


def test_sensors_that_are_known_to_fail_are_not_observed(tmp_path, kept):
    words = ("--failing", "depth", "force", "--failing-samples", "0.5", "--failing-known", "True")
    metrics = run(tmp_path / "run", kept, *words)
    assert metrics["observed"]["rgb"] == 1
    assert 0.2 < metrics["observed"]["depth"] < 0.8


def test_files_of_ones_own(tmp_path):
    for i in range(6):
        touch_factory.write(tmp_path / "set" / f"{i}.h5", seed=i, side=16)
    (tmp_path / "set" / "bad.h5").write_bytes(b"nothing")
    words = ["--data", str(tmp_path / "set"), "--workers", "2", "--guide", "poe"]
    with pytest.warns(UserWarning, match="1 files left out"):
        metrics = run(tmp_path / "run", tmp_path, *words)
    assert metrics["left_out"] == {"damaged": 1}
    assert metrics["samples"] == {"training": 16, "held_out": 4, "judged": 4}
    assert metrics["config"]["force_scale"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--image-size", "24"], "--image-size: expected a power of two"),
        (["--image-size", "64"], "--image-size: expected a divisor of the files' 32 pixels"),
        (["--data", "nowhere"], "expected a folder of Vision&Touch's files"),
        (["--failing", "sound"], "sound"),
        (["--attempts", "1"], "expected at least 2 training samples"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, kept, words, message, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        run(tmp_path / "run", kept, *words)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_without_the_extra_the_remedy_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mujoco", None)  # what is not installed
    with pytest.raises(SystemExit) as error:
        run(tmp_path / "run", tmp_path / "nothing_here")
    assert error.value.code == 2
    assert 'pip install -e ".[robot]"' in capsys.readouterr().err


def test_statistics_that_were_kept_and_damaged_are_refused(tmp_path, kept, capsys):
    run(tmp_path / "run", kept)
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    (tmp_path / "other" / touch_data.ACTIONS).write_text('{"mean": [0.0], "std": [1.0]}')
    with pytest.raises(ValueError, match="expected 4 means and deviations"):
        runs.open_run(tmp_path / "other").experiment.data()


def test_standard_errors_are_over_attempts():
    generator = torch.Generator().manual_seed(0)
    effect = torch.randn(400, generator=generator)
    cluster = torch.arange(400).repeat_interleave(25)
    mean, error = clustered(effect[cluster] + 1, cluster)
    assert mean == pytest.approx(float(effect.mean()) + 1, abs=1e-5)
    assert error == pytest.approx(float(effect.std()) / 20, rel=1e-4)
    one = torch.full((5,), float("nan"))
    assert torch.isnan(torch.tensor(clustered(one, torch.zeros(5, dtype=torch.int64)))).all()


def test_errors_of_pictures():
    rgb, depth = torch.zeros(2, 3, 4, 4), torch.ones(2, 1, 4, 4)
    found = picture_errors(rgb + 0.1, depth, rgb, depth + 0.002)
    torch.testing.assert_close(found.psnr, torch.full((2,), 20.0))
    torch.testing.assert_close(found.depth_mm, torch.full((2,), 2.0), atol=1e-3, rtol=0)
