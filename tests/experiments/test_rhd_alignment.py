"""Variational alignment of hands, through the hand experiment's command line."""

from __future__ import annotations

import json

import pytest

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import listed, parse_run
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.presets import published
from pyro_mmvae.hands.synthetic import generate

SMALL = [
    *("--guide=mapper", "--setting=rp2p", "--epochs=5", "--image-size=32", "--width=8", "--latent-dim=4"),
    *("--batch-size=8", "--pretrained=False", "--workers=0", "--preload=True", "--device=cpu"),
]


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    hands = generate(tmp_path_factory.mktemp("hands") / "set", 20, 8, seed=1, workers=1, progress=False)
    out = tmp_path_factory.mktemp("runs") / "mapper"
    driver.main("rhd", ["--data", str(hands), "--out", str(out), *SMALL])
    return out


def test_branches_and_mapper_are_judged(run):
    found = metrics_of(run)
    assert set(found["branches"]) == {"upper", "lower", "mapper"}
    assert found["branches"]["lower"] == found["posteriors"]["pose"]
    assert found["branches"]["mapper"] == found["posteriors"]["rgb"]
    assert found["branches"]["upper"]["epe_mm"] != found["branches"]["mapper"]["epe_mm"]
    assert found["config"]["phase_epochs"] == [3, 1, 1]
    assert {name for name in found["elbo"] if "upper/" in name}


def test_a_finished_run_is_opened_resumed_and_judged_again(run, tmp_path):
    opened = runs.open_run(run)
    assert set(opened.loss.model.branches) == {"upper"}
    before = metrics_of(run)
    driver.main("rhd", ["evaluate", str(run), "--out", str(tmp_path / "again"), "--device", "cpu", "--no-figures"])
    assert metrics_of(tmp_path / "again")["branches"] == before["branches"]
    assert metrics_of(tmp_path / "again")["elbo"] == pytest.approx(before["elbo"])
    config = before["config"]
    driver.main("rhd", ["--data", config["data"], "--out", str(run), *SMALL, "--resume", "--no-figures"])
    assert metrics_of(run)["branches"] == before["branches"]


@pytest.mark.parametrize(("dataset", "batch_size"), [("rhd", 64), ("stb", 32)])
def test_the_paper_s_settings(dataset, batch_size):
    config = parse_run(Config, ["--paper", "theodoridis2020", "--dataset", dataset, "--data", "somewhere"], "")
    assert (config.guide, config.objective, config.setting) == ("mapper", "variational_alignment", "rp2p")
    assert (config.batch_size, config.learning_rate, config.lr_decay) == (batch_size, 1e-4, 0.99)
    assert (config.root_joint, config.first_joint, config.rotation, config.flip) == ("palm", "palm", 45, 0.5)
    text = listed(config, config.preset)
    assert f"batch_size={batch_size} (paper)" in text
    assert "pose_layers=6 (paper)" in text
    assert "latent_dim=64 (ours)" in text
    assert sum(config.phase_epochs) == config.epochs


def test_published_values_are_of_the_data_set():
    config = {
        **dict(paper=None, setting="rp2p", guide="mapper", guide_options=[], samples=None, cross_correlation=0.0),
        **dict(pixel_corruption=0.0, cloud_noise=0.0, data="somewhere", judge="test"),
    }
    assert published({**config, "dataset": "rhd"}, "rgb") == (15.61, 0.907)
    assert published({**config, "dataset": "stb"}, "rgb") == (6.93, 0.997)
    assert published({**config, "dataset": "stb"}, "pose") == (None, None)


def test_other_objectives_have_no_phases():
    config = parse_run(Config, ["--guide", "mapper", "--setting", "rp2p", "--objective", "cada"], "")
    assert config.phase_epochs is None
    assert not config.aligned


@pytest.mark.parametrize("options", ["distance=far", "foo=1", "part=all", "kl_of=nothing"])
def test_options_that_alignment_does_not_have_are_told_in_a_line(options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        driver.main("rhd", [*SMALL, "--objective-options", options])
    assert error.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
