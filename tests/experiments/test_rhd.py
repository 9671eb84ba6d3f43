"""The hand experiment from end to end on a handful of rendered hands, through its command line."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae import Batch, guides
from pyro_mmvae.checkpoints import load_checkpoint
from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import options, parse_run, plain, read
from pyro_mmvae.experiments.rhd.config import FLOWS, Config
from pyro_mmvae.experiments.rhd.data import HandData
from pyro_mmvae.experiments.rhd.experiment import Experiment
from pyro_mmvae.experiments.rhd.options import EvaluateOptions
from pyro_mmvae.experiments.rhd.presets import PRESETS, published
from pyro_mmvae.experiments.rhd.reuse import with_changes
from pyro_mmvae.files import claimed
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.plots import judged as figures
from pyro_mmvae.hands.synthetic import generate

SMALL = [
    *("--image-size=32", "--num-points=16", "--map-size=16", "--width=8", "--decoder-width=4", "--cloud-width=32"),
    *("--latent-dim=8", "--batch-size=8", "--pretrained=False", "--workers=0", "--preload=True", "--device=cpu"),
]


def main(arguments):
    driver.main("rhd", arguments)


def parsed(*arguments):
    return parse_run(Config, arguments, "rhd")


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("hands") / "set", 20, 8, seed=1, workers=1, progress=False)


@pytest.fixture(scope="module")
def run(hands, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "gpoe"
    main(["--guide", "gpoe", "--data", str(hands), "--epochs", "2", "--out", str(out), *SMALL])
    return out


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_run_leaves_everything_behind(run):
    found = metrics_of(run)
    assert set(found["posteriors"]) == {"rgb", "cloud", "joint"}
    for block in (*found["posteriors"].values(), found["baseline"]["mean_pose"]):
        assert set(block) == {"epe_mm", "auc_20_50", "pck"}
        assert 0 < block["epe_mm"]["mean"] < 500
        assert len(block["pck"]["thresholds_mm"]) == len(block["pck"]["values"])
    assert {"bound", "kl|rgb", "log_prob/pose|rgb+cloud"} <= set(found["elbo"])
    assert found["seconds"] > 0
    assert found["samples_per_second"] > 0
    assert found["config"]["guide"] == "gpoe"
    assert "torch" in found["versions"]
    figures = {p.name for p in (run / "figures").iterdir()}
    assert {"pck.png", "skeletons.png", "skeletons_3d.png", "clouds.png", "heatmaps.png", "training.png"} <= figures
    with (run / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0.0", "1.0"]


def test_checkpoints_hold_data_and_no_code(run):
    content = load_checkpoint(run / "checkpoints" / "last.ckpt")
    assert any(key.startswith("loss.guide.") for key in content["state_dict"])
    (run / "checkpoints" / "bad.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="that can be loaded safely"):
        load_checkpoint(run / "checkpoints" / "bad.ckpt")


def test_a_run_is_repeated_from_its_own_configuration(run, tmp_path):
    main(["--config", str(run / "config.yaml"), "--out", str(tmp_path / "again"), "--no-figures"])
    again, first = metrics_of(tmp_path / "again"), metrics_of(run)
    assert again["posteriors"] == first["posteriors"]
    assert again["elbo"] == first["elbo"]


def test_another_run_cannot_pass_for_a_resumed_one(run, capsys):
    with pytest.raises(SystemExit):
        main(["--config", str(run / "config.yaml"), "--resume", "--seed", "5"])
    assert "seed: 0 -> 5" in capsys.readouterr().err


def test_two_processes_cannot_write_into_one_folder(hands, tmp_path, capsys):
    with claimed(tmp_path / "run"), pytest.raises(SystemExit):
        main(["--data", str(hands), "--epochs", "1", "--out", str(tmp_path / "run"), *SMALL])
    assert "another process is writing" in capsys.readouterr().err


def test_an_early_stopped_run_is_reported_and_resumed_at_its_best(hands, tmp_path):
    arguments = ["--data", str(hands), "--epochs", "6", "--early-stop", "1", "--learning-rate", "0", "--no-figures"]
    arguments += ["--out", str(tmp_path / "run"), *SMALL]
    main(arguments)
    first = metrics_of(tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    main([*arguments, "--resume"])
    again = metrics_of(tmp_path / "run")
    assert again["posteriors"] == first["posteriors"]
    assert again["seconds"] == first["seconds"]  # no epoch was added
    with (tmp_path / "run" / "history.csv").open() as file:
        assert len(list(csv.DictReader(file))) < 6


def test_unreadable_training_samples_are_counted(hands, tmp_path):
    broken = tmp_path / "set"
    shutil.copytree(hands, broken)
    # Of five, one at most is held out and three at most are in the last, incomplete batch.
    for path in sorted((broken / "training" / "color").iterdir())[3:8]:
        path.write_bytes(path.read_bytes()[:200])
    arguments = ["--data", str(broken), "--epochs", "1", "--out", str(tmp_path / "run"), "--no-figures", *SMALL]
    main([*arguments, "--preload=False"])
    assert 1 <= metrics_of(tmp_path / "run")["skipped_in_last_epoch"] <= 5


@pytest.mark.slow
def test_two_processes_train_as_one_run(hands, tmp_path):
    command = [sys.executable, "-m", "experiments.rhd", "--data", str(hands), "--epochs", "2", "--devices", "2"]
    subprocess.run([*command, "--out", str(tmp_path / "run"), *SMALL], check=True, timeout=600)
    assert set(metrics_of(tmp_path / "run")["posteriors"]) == {"rgb", "cloud", "joint"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*samples used, 1 skipped")  # a hand all of whose joints are outside of the picture
def test_the_demo_reaches_its_bars(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["--guide", "gpoe", "--out", "run"])
    found = metrics_of(tmp_path / "run")
    baseline = found["baseline"]["mean_pose"]["epe_mm"]["mean"]
    assert found["posteriors"]["rgb"]["epe_mm"]["mean"] < 0.7 * baseline
    assert found["posteriors"]["cloud"]["epe_mm"]["mean"] < 0.5 * baseline


def test_a_finished_run_is_not_overwritten(run, capsys):
    with pytest.raises(SystemExit):
        main(["--config", str(run / "config.yaml")])
    assert "--resume" in capsys.readouterr().err


def test_evaluation_gives_the_same_numbers_again(run, tmp_path):
    main(["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu"])
    assert metrics_of(tmp_path)["posteriors"] == metrics_of(run)["posteriors"]


def test_evaluation_does_not_overwrite_results(run, tmp_path, capsys):
    arguments = ["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu", "--no-figures"]
    main(arguments)
    with pytest.raises(SystemExit):
        main(arguments)
    assert "metrics.json exists" in capsys.readouterr().err


def test_an_evaluation_that_was_killed_is_done_again(run, tmp_path, monkeypatch):
    """Results come after all else: where they are, nothing is missing."""
    arguments = ["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(figures, "plot_skeletons_3d", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
    assert stopped.value.code == 130
    assert not (tmp_path / "metrics.json").exists()
    main(arguments)
    assert (tmp_path / "figures" / "skeletons_3d.png").is_file()
    assert metrics_of(tmp_path)["posteriors"] == metrics_of(run)["posteriors"]


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"mean_pose": null}', '{"mean_pose": [[1, 2], [3]]}', '{"mean_pose": [[NaN, 1, 2]]}']
)
def test_a_mean_pose_that_is_damaged_or_something_else(text, run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "mean_pose.json").write_text(text)
    with pytest.raises(SystemExit) as error:
        main(["evaluate", str(tmp_path / "run"), "--device", "cpu", "--no-figures"])
    assert error.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert "mean_pose.json" in line
    assert "delete it, and it is made again" in line


def test_the_baseline_belongs_to_the_run(run, tmp_path):
    main(["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu", "--no-figures", "--seed", "3"])
    assert metrics_of(tmp_path)["baseline"] == metrics_of(run)["baseline"]


def test_noise_that_was_in_training_alone_stays_there():
    trained = replace(parsed(), pixel_corruption=0.7, corrupt="train")
    changed, _ = with_changes(trained, EvaluateOptions(run=Path("run"), cloud_noise=0.1))
    assert (changed.corrupt, changed.pixel_corruption, changed.cloud_noise) == ("test", 0.0, 0.1)
    same, changes = with_changes(trained, EvaluateOptions(run=Path("run")))
    assert (same, changes) == (trained, {})


def test_evaluation_under_noise_differs_and_says_so(run, tmp_path):
    noise = ["--pixel-corruption", "0.5", "--cloud-noise", "0.5"]
    main(["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu", "--no-figures", *noise])
    found = metrics_of(tmp_path)
    assert found["posteriors"]["cloud"] != metrics_of(run)["posteriors"]["cloud"]
    assert found["config"]["pixel_corruption"] == 0.5


def test_predictions_for_a_folder_of_images(run, hands, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for path in sorted((hands / "evaluation" / "color").iterdir())[:3]:
        shutil.copy(path, images)
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    main(["predict", str(run), str(images), "--out", str(tmp_path / "out"), "--device", "cpu", "--bone-mm", "30"])
    found = np.load(tmp_path / "out" / "poses.npz", allow_pickle=False)
    assert found["pose"].shape == (3, 21, 3)
    assert found["spread"].shape == (3, 21)
    assert (found["spread"] > 0).all()
    assert "broken.png" not in found["names"]
    assert (tmp_path / "out" / "poses.png").stat().st_size > 0


def test_a_folder_with_colour_and_annotations_alone(hands, tmp_path):
    bare = tmp_path / "bare"
    for split in ("training", "evaluation"):
        shutil.copytree(hands / split / "color", bare / split / "color")
        shutil.copy(hands / split / f"anno_{split}.pickle", bare / split)
    out = tmp_path / "run"
    main(["--data", str(bare), "--epochs", "1", "--out", str(out), *SMALL])
    found = metrics_of(out)
    assert set(found["posteriors"]) == {"rgb", "joint"}  # the cloud's would only show the prior
    assert "kl|cloud" not in found["elbo"]
    assert np.isfinite(found["posteriors"]["rgb"]["epe_mm"]["mean"])
    main(["evaluate", str(out), "--out", str(tmp_path / "evaluation"), "--device", "cpu", "--no-figures"])


@pytest.mark.parametrize(
    ("guide", "setting"), [("moe", "rcs2chps"), ("crossmodal", "rc2chp"), ("poe", "c2p"), ("joint", "r2p")]
)
def test_every_kind_of_run_trains(hands, tmp_path, guide, setting):
    options = ["--guide", guide, "--setting", setting, "--samples", "16", "--epochs", "1", "--no-figures"]
    main(["--data", str(hands), "--out", str(tmp_path / "run"), *options, *SMALL])
    found = metrics_of(tmp_path / "run")
    inputs = FLOWS[setting].inputs[: 1 if guide == "crossmodal" else None]
    assert set(found["posteriors"]) == {*inputs, *(["joint"] if len(inputs) > 1 else [])}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guide", "goe"], "unknown name 'goe' in pyro_mmvae.guides; choose one of attention, crossmodal"),
        (["--objective", "elbo"], "unknown name 'elbo'"),
        (["--guide-options", "prior_expert=never"], "do not fit the guide 'gpoe'"),
        (["--guide-options", "hidden"], "expected name=value"),
        (["--guide", "poe", "--objective", "mmvae"], "use a mixture guide"),
        (["--num-points", "200"], "--num-points: expected a square number"),
        (["--zoom", "0.9"], "--zoom: expected float of at least 1, got 0.9"),
        (["--map-size", "48"], "--map-size: expected a power of two"),
        (["--pixel-corruption", "nan"], "--pixel-corruption: expected a finite number, got nan"),
        (["--cloud-noise", "inf"], "--cloud-noise: expected a finite number, got inf"),
        (["--paper", "nobody"], "--paper: expected one of gpu"),
        (["--batch-size", "0"], "expected int of at least 1"),
        (["--samples", "-1"], "--samples: expected int of at least 1, got -1"),
        (["--data", "nowhere"], "nowhere"),
        (["--device", "cuda"], "CUDA"),
        (["--beta-end", "0"], "--beta-end: expected a positive weight"),
        (["--samples", "1.9"], "--samples: expected float of at most 1, got 1.9"),
        (["--resume"], "nothing to resume"),
        (["evaluate", "nowhere"], "no run in nowhere"),
        (["predict", "nowhere", "."], "no run in nowhere"),
        (["predict", "nowhere", ".", "--draws", "0"], "--draws: expected int of at least 1, got 0"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, hands, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if arguments[0].startswith("--"):
        data = [] if "--data" in arguments else ["--data", str(hands)]
        arguments = [*SMALL, *data, "--epochs", "1", *arguments]
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_bad_configuration_files_are_refused(tmp_path, capsys):
    for content, message in [
        ("guide: [", "is not YAML"),
        ("guid: poe", "unknown options"),
        ("epochs: many", "expected int, got 'many'"),
        ("beta_start: small", "expected float or None, got 'small'"),
        ("- 1", "expected options"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ]:
        path = tmp_path / "config.yaml"
        path.write_text(content)
        with pytest.raises(SystemExit) as error:
            main(["--config", str(path)])
        assert error.value.code == 2
        assert message in capsys.readouterr().err


def test_numbers_in_configuration_files_mean_what_they_look_like(tmp_path):
    (tmp_path / "config.yaml").write_text("beta_start: 1e-4\nlearning_rate: 3e-4\n")
    found = read(Config, tmp_path / "config.yaml")
    assert (found.beta_start, found.learning_rate) == (1e-4, 3e-4)
    assert options(["a=1e-3", "b=true", "c=learned", "d=3"]) == {"a": 1e-3, "b": True, "c": "learned", "d": 3}


def test_data_imply_a_preset_that_the_command_line_overrides():
    demo, real = parsed(), parsed("--data", "somewhere", "--guide", "moe", "--epochs", "3", "--pretrained", "False")
    assert (demo.image_size, demo.objective, demo.pretrained) == (64, "mixing", False)
    assert (real.image_size, real.num_points, real.objective) == (256, 256, "mmvae")
    assert (real.epochs, real.pretrained) == (3, False)
    assert str(demo.run) == "runs/rhd/rc2chp-gpoe-mixing-s0"


@pytest.mark.parametrize("paper", PRESETS)
def test_presets_have_the_guides_of_their_papers(paper):
    priors = {guide: parsed("--paper", paper, "--guide", guide).guide_options for guide in ("poe", "gpoe")}
    assert priors == {
        "poe": {"gupta2021": ("prior_expert=joint",), "joshi2022": ("prior_expert=never",)}.get(paper, ()),
        "gpoe": (),
    }
    assert parsed("--paper", paper, "--guide", "moe").objective == "mmvae"
    assert parsed("--paper", paper, "--guide", "poe", "--guide-options", "prior_expert=always").guide_options


def test_the_options_of_a_paper_reach_data_and_networks(hands):
    config = parsed("--paper", "gupta2021", "--data", str(hands), "--preload", "True", "--workers", "0")
    data = HandData(config)
    assert (data.train.view_options.root_joint, data.train.read_options.crop) == ("wrist", "mask")
    assert data.train.view_options.augment == AugmentationRanges()
    assert data.validation.view_options.augment is None
    (pose,) = (m for m in Experiment(replace(config, pretrained=False)).modalities() if m.name == "pose")
    assert pose.likelihood.norm == "pose"


@pytest.mark.parametrize("stage", ["train", "test"])
def test_noise_acts_where_it_is_asked_for(hands, stage):
    arguments = [
        "--pixel-corruption",
        "0.3",
        "--cloud-corrupted-share",
        "0.5",
        "--corrupt",
        stage,
        "--data",
        str(hands),
    ]
    data = HandData(parsed(*arguments, "--preload", "True"))
    levels = {
        "train": data.train.view_options.noise.pixel_corruption,
        "test": data.samples.view_options.noise.pixel_corruption,
    }
    assert levels == {name: 0.3 if name == stage else 0.0 for name in levels}
    split = data.train if stage == "train" else data.samples
    assert split.view_options.noise.corrupted_share == {"rgb": 1.0, "cloud": 0.5}


def test_weights_of_clean_and_of_corrupted_samples(run, tmp_path):
    assert {name: set(found) for name, found in metrics_of(run)["weights"].items()} == {
        "rgb": {"clean"},
        "cloud": {"clean"},
    }
    arguments = ["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu", "--no-figures"]
    main([*arguments, "--pixel-corruption", "0.5", "--corrupted-share", "0.5"])
    found = metrics_of(tmp_path)
    for weights in (found["weights"], found["influence"]):
        assert set(weights["rgb"]) == {"clean", "corrupted"}
        assert set(weights["cloud"]) == {"clean"}
    assert set(found["conditions"]) == {"clean", "rgb"}
    assert set(found["conditions"]["rgb"]) == {"rgb", "cloud", "joint"}
    columns = Experiment.columns(found)
    assert columns["EPE mm, joint, corrupted rgb"].value == found["conditions"]["rgb"]["joint"]
    assert columns["influence of rgb, corrupted"].value == found["influence"]["rgb"]["corrupted"]
    assert not any(
        name.startswith(("weights", "influence")) for name in Experiment.columns(metrics_of(run))
    )  # nothing was corrupted


def test_segmentations_are_scored_and_compared(hands, tmp_path):
    options = ["--guide", "poe", "--setting", "rcs2chps", "--samples", "16", "--epochs", "1", "--no-figures"]
    main(["--data", str(hands), "--out", str(tmp_path / "run"), *options, *SMALL])
    found = metrics_of(tmp_path / "run")
    for posterior in ("rgb", "cloud", "segmentation", "joint"):
        scores = found["posteriors"][posterior]["segmentation"]
        assert 0 <= scores["iou"]["mean"] <= scores["f1"]["mean"] <= 1
    assert "weights" not in found
    columns = Experiment.columns(found)
    assert columns["IOU, joint"].value == found["posteriors"]["joint"]["segmentation"]["iou"]["mean"]
    assert columns["EPE mm, rgb"].published is None  # papers train on more than 16 hands


@pytest.mark.parametrize(
    ("arguments", "posterior", "expected"),
    [
        (["--setting", "r2hp"], "rgb", (14.24, 0.93)),
        (["--guide", "poe"], "rgb", (13.65, 0.939)),
        (["--guide", "poe"], "joint", (11.93, None)),
        (["--guide", "poe", "--paper", "joshi2022"], "rgb", (12.47, 0.951)),
        (["--guide", "poe", "--samples", "0.2", "--cross-correlation", "1e-3"], "rgb", (16.26, None)),
        (["--guide", "moe_moments", "--guide-options", "weights=learned"], "rgb", (13.626, 0.941)),
        (["--guide", "gpoe", "--pixel-corruption", "0.25"], "rgb", (13.14, 0.942)),
        (["--guide", "gpoe", "--paper", "gupta2021"], "rgb", (None, None)),
        (["--guide", "gpoe", "--pixel-corruption", "0.3"], "rgb", (None, None)),
        (["--guide", "gpoe", "--judge", "validation"], "rgb", (None, None)),
    ],
)
def test_published_numbers_are_those_of_the_same_setting(arguments, posterior, expected):
    real = plain(parsed("--data", "somewhere", *arguments))
    assert published(real, posterior) == expected
    assert published({**real, "data": None}, posterior) == (None, None)


def test_a_run_is_opened_without_what_it_began_with(run, tmp_path):
    """Pretrained weights are in its checkpoint; nothing may be downloaded."""
    opened = tmp_path / "run"
    shutil.copytree(run, opened)
    text = (opened / "config.yaml").read_text().replace("pretrained: false", "pretrained: true")
    (opened / "config.yaml").write_text(text.replace("pretrained_weights: null", "pretrained_weights: nowhere.pth"))
    found = runs.open_run(opened)
    assert found.experiment.config.pretrained
    assert sum(batch.size for batch in found.experiment.data().judged(5)) == 5


def test_results_of_held_out_samples(run, tmp_path, capsys):
    arguments = ["evaluate", str(run), "--out", str(tmp_path / "out"), "--device", "cpu", "--no-figures"]
    main([*arguments, "--judge", "validation"])
    found = metrics_of(tmp_path / "out")
    assert found["samples"]["used"] == 1  # five per cent of twenty
    with (run / "history.csv").open() as file:
        watched = float(list(csv.DictReader(file))[-1]["val/epe_mm|rgb"])
    # Training watches all joints, the results are of the visible ones.
    assert found["posteriors"]["rgb"]["epe_mm"]["mean"] == pytest.approx(watched, rel=0.5)
    with pytest.raises(SystemExit):
        main([*arguments, "--judge", "validation", "--seed", "3"])
    assert "held-out samples are those of the run's own" in capsys.readouterr().err


def test_columns_and_curves_of_a_run(run):
    found = metrics_of(run)
    columns, curves = Experiment.columns(found), Experiment.curves(found)
    assert next(iter(columns)) == "EPE mm, joint"
    assert {name for name, c in columns.items() if c.better == "lower"} == {f"EPE mm, {n}" for n in found["posteriors"]}
    assert columns["AUC 20-50, rgb"].value == found["posteriors"]["rgb"]["auc_20_50"]
    assert set(curves) == {f"PCK, {n}" for n in found["posteriors"]}


def test_other_rules_of_errors(run, tmp_path):
    main(["evaluate", str(run), "--out", str(tmp_path), "--device", "cpu", "--no-figures", "--joints", "all"])
    found = metrics_of(tmp_path)
    assert found["config"]["joints"] == "all"
    assert found["posteriors"]["rgb"]["epe_mm"] != metrics_of(run)["posteriors"]["rgb"]["epe_mm"]


def fake_hands(size=2):
    return Batch.of(
        {
            "rgb": torch.empty(size, 3, 64, 64),
            "cloud": torch.empty(size, 64, 3),
            "heatmap": torch.empty(size, 21, 32, 32),
            "pose": torch.empty(size, 21, 3),
            "segmentation": torch.zeros(size, 32, 32, dtype=torch.long),
        }
    )


@pytest.mark.parametrize("guide", guides.available())
def test_the_real_networks_on_a_fake_gpu_and_on_meta(guide):
    """The loss neither mixes devices nor waits for the device, and its gradients have shapes."""
    setting = "r2hp" if guide == "crossmodal" else "rcs2chps"
    experiment = Experiment(parsed("--guide", guide, "--setting", setting))
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        loss = experiment.loss()
        loss.elbo.validate = False
        assert loss(fake_hands()).device.type == "cuda"
    with torch.device("meta"):
        loss = experiment.loss()
        loss.elbo.validate = False
        loss(fake_hands()).backward()
    assert all(p.grad is not None for p in loss.parameters())
