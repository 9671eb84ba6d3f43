"""The hand experiment on STB: a run, what is refused, and the options of the pose's loss and networks."""

from __future__ import annotations

import json

import pytest
import torch

from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.common.configuration import parse_run, read
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import HandData
from pyro_mmvae.experiments.rhd.networks import build_modalities
from pyro_mmvae.experiments.rhd.presets import published
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.synthetic import generate, generate_stb

SMALL = [
    *("--image-size=32", "--num-points=16", "--map-size=16", "--width=8", "--decoder-width=4", "--cloud-width=32"),
    *("--latent-dim=8", "--batch-size=8", "--pretrained=False", "--workers=0", "--preload=True", "--device=cpu"),
    *("--epochs=2", "--no-figures"),
]
# What Theodoridis et al. (2020, section 4.2.2) print of preprocessing, pose networks and training on hands.
THEODORIDIS = [
    *("--first-joint=palm", "--root-joint=palm", "--rotation=45", "--flip=0.5", "--zoom=1", "--shift=0", "--no-color"),
    *("--pose-norm=squared", "--pose-layers=6", "--lr-schedule=exponential", "--lr-decay=0.99"),
]


def main(*arguments):
    driver.main("rhd", [str(argument) for argument in arguments])


def parsed(*arguments):
    return parse_run(Config, [str(argument) for argument in arguments], "rhd")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def stb(tmp_path_factory):
    return generate_stb(tmp_path_factory.mktemp("stb") / "set", 20, 4, workers=1, progress=False)


@pytest.fixture(scope="module")
def run(stb, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "stb"
    main("--dataset", "stb", "--data", stb, "--guide", "gpoe", "--out", out, *SMALL)
    return out


def test_a_run_on_stb(run):
    found, config = metrics_of(run), read(Config, run / "config.yaml")
    assert set(found["posteriors"]) == {"rgb", "cloud", "joint"}
    assert found["samples"]["used"] == 4
    assert (config.dataset, config.root_joint, config.first_joint) == ("stb", "palm", "palm")
    assert not any(published(found["config"], name).epe_mm for name in found["posteriors"])


def test_the_stereo_pair_by_the_settings_of_theodoridis(stb, tmp_path):
    options = ["--dataset=stb", "--camera=bb", "--setting=r2p", "--guide=crossmodal", *THEODORIDIS]
    main("--data", stb, "--out", tmp_path / "run", *options, *SMALL)
    found = metrics_of(tmp_path / "run")
    assert set(found["posteriors"]) == {"rgb"}
    assert found["samples"]["used"] == 8


def test_a_model_of_palms_is_evaluated_on_the_other_set(run, tmp_path):
    hands = generate(tmp_path / "rhd", 2, 3, workers=1, progress=False)
    main("evaluate", run, "--dataset", "rhd", "--data", hands, "--out", tmp_path / "found", "--no-figures")
    found = metrics_of(tmp_path / "found")
    assert found["samples"]["used"] == 3
    assert found["config"]["first_joint"] == "palm"


def test_synthetic_hands_are_in_the_layout_of_the_set(tmp_path):
    options = ["--dataset=stb", "--synthetic-train=2", "--synthetic-eval=1", "--synthetic", tmp_path, *SMALL]
    data = HandData(parsed("--setting=r2p", "--guide=crossmodal", *options))
    assert isinstance(data.samples, STB)
    assert (tmp_path / "stb-2+1" / "labels" / "B1Random_BB.mat").is_file()
    assert "synthetic hands" in data.describe()


REFUSED = [
    (["--setting=rcs2chps"], "STB has no segmentation masks: take a setting without segmentation"),
    (["--crop=mask"], "STB has no segmentation masks: take crop='joints'"),
    (["--root-joint=wrist"], "unknown root_joint 'wrist'; STB has 'palm' or 'middle_mcp'"),
    (["--first-joint=wrist"], "first_joint: expected 'palm' on STB"),
    (["--camera=bb_left"], "STB's camera 'bb_left' measures no depth"),
    (["--paper=gupta2021", "--data=nowhere"], "STB has"),
    (["--data=nowhere", "--pretrained=False"], "no labels at nowhere/labels/B1Counting_SK.mat"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_stb_does_not_have_is_refused_in_one_line_before_anything_is_made(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main("--dataset=stb", *arguments)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.startswith("python -m experiments.rhd: error: ")
    assert told.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_the_joints_of_rhd_are_those_they_were():
    config = parsed()
    assert (config.dataset, config.root_joint, config.first_joint) == ("rhd", "middle_mcp", "wrist")
    assert config.run_name == "rc2chp-gpoe-mixing-s0"
    assert parsed("--dataset=stb").run_name == "stb-rc2chp-gpoe-mixing-s0"
    assert RHD.traits.root_joints[0] == "middle_mcp"


def pose_of(*options):
    (pose,) = [m for m in build_modalities(parsed("--setting=p2p", "--guide=crossmodal", *options)) if m.name == "pose"]
    return pose


def test_the_squared_error_is_the_mean_over_all_numbers():
    likelihood = pose_of("--pose-norm=squared").likelihood.double()
    pose, found = torch.randn(2, 5, 21, 3, dtype=torch.float64)
    density = likelihood(found)
    loss = density.log_prob(found) - density.log_prob(pose)
    torch.testing.assert_close(loss, (pose - found).square().mean((1, 2)))


@pytest.mark.parametrize("layers", [1, 4, 6])
def test_layers_of_the_pose_networks(layers):
    pose = pose_of(f"--pose-layers={layers}")

    def linear(module):
        return [part for part in module.modules() if isinstance(part, torch.nn.Linear)]

    assert len(linear(pose.decoder)) == layers
    assert len(linear(pose.encoder)) == layers - 1  # the guide adds the last one, to mean and deviation
    assert {part.out_features for part in linear(pose.decoder)[:-1]} | {512} == {512}
    assert pose.encoder(torch.randn(2, 21, 3)).shape == (2, 512 if layers > 1 else 63)


def test_a_pose_is_found_from_itself(stb, tmp_path):
    options = ["--dataset=stb", "--setting=p2p", "--guide=crossmodal", "--epochs=30", *THEODORIDIS]
    main("--data", stb, "--out", tmp_path / "run", *[o for o in SMALL if o != "--epochs=2"], *options)
    found = metrics_of(tmp_path / "run")
    assert set(found["posteriors"]) == {"pose"}
    assert found["posteriors"]["pose"]["epe_mm"]["mean"] < 0.9 * found["baseline"]["mean_pose"]["epe_mm"]["mean"]
