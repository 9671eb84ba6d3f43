"""The experiment with six pictures beyond the contract: matrices, likelihoods, baselines, objectives."""

from __future__ import annotations

import json

import pytest
import torch

from pyro_mmvae.estimators import batch_seed, log_likelihood
from pyro_mmvae.experiments.common import configuration, driver, runs
from pyro_mmvae.experiments.transforms.config import Config
from pyro_mmvae.experiments.transforms.evaluation import conditional_likelihoods, mean_pictures, similarities
from pyro_mmvae.experiments.transforms.experiment import mean_over_others
from pyro_mmvae.faces.transformed import CHANNELS

TINY = (*Config.tiny, "--device", "cpu", "--no-figures", "--epochs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transforms")


@pytest.fixture(scope="module")
def done(folder):
    driver.main("transforms", [*TINY, "--out", str(folder / "run"), "--synthetic", str(folder / "faces")])
    return runs.open_run(folder / "run"), json.loads((folder / "run/metrics.json").read_text())


def test_matrices_are_of_every_input_and_target(done):
    _, metrics = done
    for name in ("psnr", "ssim"):
        assert list(metrics[name]) == [*CHANNELS, "all"]
        assert all(list(row) == list(CHANNELS) for row in metrics[name].values())
    assert list(metrics["baseline"]) == ["mean_picture", "copy_of_grey", "copy_of_masked", "copy_of_watermark"]
    assert list(metrics["log_likelihood"]) == list(CHANNELS)
    assert metrics["log_likelihood"]["grey"]["colour"]["n"] == 5


def test_the_mean_picture_is_the_best_constant(done):
    opened, metrics = done
    data = opened.experiment.data()
    mean = mean_pictures(data.train)
    whole = torch.cat([batch.data["colour"] for batch in data.judged()])
    error = (mean["colour"] - whole).square().flatten(1).mean(1)
    assert metrics["baseline"]["mean_picture"]["psnr"]["colour"] == pytest.approx(float(-10 * error.log10().mean()))
    shifted = {name: (value + 0.2).clamp(0, 1) for name, value in mean.items()}
    other = similarities(opened.loss, data.judged(), shifted)["baseline"]["mean_picture"]["psnr"]
    assert all(other[name] < metrics["baseline"]["mean_picture"]["psnr"][name] for name in CHANNELS)


def test_conditionals_are_differences_of_one_proposal(done):
    opened, _ = done
    loss, batches = opened.loss, list(opened.experiment.data().judged(5))
    found = conditional_likelihoods(loss, batches, num_samples=20, seed=3)
    both, alone = (
        torch.cat(
            [
                log_likelihood(loss.model, loss.guide, b, of=of, given=["grey"], num_samples=20, seed=s).value
                for b, s in zip(batches, seeds(3, batches), strict=True)
            ]
        )
        for of in (("grey", "colour"), ("grey",))
    )
    assert found["grey"]["colour"]["mean"] == pytest.approx(float((both - alone).mean()), rel=1e-4)
    assert found["grey"]["grey"]["mean"] == pytest.approx(float(alone.mean()), rel=1e-4)


def seeds(seed, batches):
    return [batch_seed(seed, number) for number in range(len(batches))]


def test_mean_over_others_leaves_out_all_and_the_diagonal():
    rows = {"a": {"a": 99.0, "b": 1.0}, "b": {"a": 3.0, "b": None}, "all": {"a": 50.0, "b": 50.0}}
    assert mean_over_others(rows) == 2.0


def test_every_subset_decodes_everything_a_few_at_a_time(folder, capsys):
    words = [*TINY, "--out", str(folder / "mopoe"), "--synthetic", str(folder / "faces"), "--objective", "mopoe"]
    driver.main("transforms", words)
    assert "each training step draws 3 rows" in capsys.readouterr().out


def test_binary_colours_are_refused(folder, capsys):
    with pytest.raises(SystemExit):
        driver.main("transforms", [*TINY, "--out", str(folder / "x"), "--density", "bernoulli"])
    assert "--density: expected one of values in between" in capsys.readouterr().err


def test_real_faces_imply_their_settings():
    config = configuration.parse_run(Config, ["--data", "somewhere"], "")
    assert (config.side, config.width, config.preload) == (64, 32, False)
