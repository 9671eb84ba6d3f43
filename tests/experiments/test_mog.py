"""The mixture-of-Gaussians experiment: a whole tiny run, other guides, the paper's networks."""

from __future__ import annotations

import json

import pytest
import torch

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import parse_run
from pyro_mmvae.experiments.mog.config import Config
from pyro_mmvae.experiments.mog.experiment import Experiment, MixtureData
from pyro_mmvae.likelihoods import Radial

TINY = ["--samples", "200", "--test-samples", "40", "--num-samples", "50", "--epochs", "2", "--hidden", "8"]
TINY += ["--device", "cpu"]


def configured(*words):
    return parse_run(Config, [*TINY, *words], "mog")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_run(tmp_path, capsys):
    driver.main("mog", [*TINY, "--objective", "telbo", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "log p(a, b)" in printed
    assert "the density that the data are from" in printed
    metrics = metrics_of(tmp_path)
    found = metrics["log_likelihood"]
    assert {given: set(names) for given, names in found.items()} == {
        "a+b": {"joint"},
        "a": {"joint", "a"},
        "b": {"joint", "b"},
    }
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "data",
        "latent",
        "training",
        "cross_correlation",
    }
    columns = Experiment.columns(metrics)
    joint = next(iter(columns.values()))
    assert joint.value == found["a+b"]["joint"]["mean"]
    assert joint.published == metrics["truth"]["joint"]  # no model can be better in expectation


def test_splits_are_draws_of_their_own():
    data = MixtureData(configured())
    assert data.counts() == {"training": 200, "held_out": 40, "test": 40}
    parts = [split.values.data["a"][:40] for split in (data.train, data.validation, data.test)]
    assert len({part.sum().item() for part in parts}) == 3
    held_out = MixtureData(configured("--judge", "validation"))
    assert torch.equal(held_out.judged_batch().data["a"], parts[1])
    assert not torch.equal(held_out.label, data.label)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--guide", "poe", "--guide-options", "hidden=3"], "do not fit the guide 'poe'"),
        (["--guide", "poe", "--objective", "mmvae"], "mixture"),
        (["--test-samples", "1"], "--test-samples: expected int of at least 2, got 1"),
        (["--paper", "korthals"], "--paper: expected one of korthals2019"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        driver.main("mog", [*TINY, "--out", str(tmp_path), *words])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_another_guide_has_no_networks_for_each_subset(tmp_path):
    driver.main("mog", [*TINY, "--guide", "poe", "--objective", "mvae", "--no-figures", "--out", str(tmp_path)])
    assert metrics_of(tmp_path)["config"]["guide_options"] == []


@pytest.mark.parametrize("paper", Config.presets())
def test_the_paper_s_settings(paper, tmp_path):
    """Table 1: encoders 2-128 with ReLU, a joint one concatenated and 64-2, a decoder 128-2 with tanh, RMSprop."""
    words = ["--paper", paper, *TINY, "--hidden", "128", "--epochs", "1", "--no-figures", "--out", str(tmp_path)]
    driver.main("mog", words)
    opened = runs.open_run(tmp_path)
    assert opened.experiment.training(opened.loss).optimiser == "rmsprop"
    model, guide = opened.loss.model, opened.loss.guide
    assert isinstance(model.likelihoods["a"], Radial)

    def sizes(module):
        return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, torch.nn.Linear)]

    zeroed = paper == "korthals2019"
    assert sizes(guide.encoders["a"]) == [(128, 2)] * (1 if zeroed else 2)
    assert sizes(guide.networks[-1]) == [(64, 256), (4, 64)]
    assert zeroed or sizes(guide.networks[0]) == [(4, 128)]
    assert sizes(model.decoders["a"]) == [(128, 2), (2, 128)]
    assert any(isinstance(m, torch.nn.Tanh) for m in model.decoders["a"].modules())
