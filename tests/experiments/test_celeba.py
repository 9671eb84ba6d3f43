"""The experiment with faces and attributes beyond the contract: real layouts, densities, baselines, mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from faces_factory import celeba

from pyro_mmvae.experiments.celeba.config import Config
from pyro_mmvae.experiments.celeba.experiment import attribute_scores
from pyro_mmvae.experiments.celeba.presets import PUBLISHED
from pyro_mmvae.experiments.common import configuration, driver, runs
from pyro_mmvae.faces.attributes import DISTINCTIVE


def run(folder, *more, figures=False):
    out = folder / "run"
    words = [*Config.tiny, "--device", "cpu", "--out", str(out), "--synthetic", str(folder / "faces"), *more]
    driver.main("celeba", [*words, *([] if figures else ["--no-figures"])])
    return out, json.loads((out / "metrics.json").read_text())


REAL = ("--side", "16", "--width", "4", "--attribute-widths", "8", "--latent-dim", "4", "--workers", "0")


def test_scores_are_those_of_an_opened_run(tmp_path):
    out, metrics = run(tmp_path)
    assert list(metrics["attributes"]) == ["image", "attributes", "image+attributes"]
    assert metrics["samples"] == {"training": 48, "held_out": 6, "judged": 6}
    opened = runs.open_run(out)
    found, true = attribute_scores(opened.loss, opened.experiment.data().judged(), seed=0)
    for given, scores in metrics["attributes"].items():
        assert found[given].means() == pytest.approx({n: v for n, v in scores.items() if n != "by_attribute"})
        assert set(scores["by_attribute"]) == set(DISTINCTIVE)
    share = opened.experiment.data().train.targets.mean(0).double()
    score = (true * share.log() + (1 - true) * (1 - share).log()).nan_to_num(neginf=-13.8).sum(1).mean()
    assert metrics["baseline"]["frequencies"]["log_score"] == pytest.approx(float(score), rel=1e-3)
    joint, image = (metrics["log_likelihood"]["image+attributes"][name]["mean"] for name in ("joint", "image"))
    assert joint < image


@pytest.mark.parametrize("zipped", [True, False])
def test_official_files_with_binary_pixels_show_published_numbers(tmp_path, zipped):
    root = celeba(tmp_path / "set", 40, zipped=zipped, anno=True)
    path = root / "Eval/list_eval_partition.txt"
    path.write_text(f"{path.read_text()}broken line here\n")
    with pytest.warns(UserWarning, match="1 faces left out"):
        _, metrics = run(tmp_path, "--data", str(root), *REAL, "--batch-size", "16", "--guide", "poe")
    assert metrics["left_out"] == {"with a broken line in list_eval_partition.txt": 1}
    assert metrics["config"]["density"] == "bernoulli"  # of the preset that real faces imply
    columns = driver.experiment_class("celeba").columns(metrics)
    published = [c.published for c in columns.values() if c.published is not None]
    assert published == list(PUBLISHED["poe", "mvae"])
    other = {**metrics, "config": {**metrics["config"], "density": "laplace"}}
    assert all(c.published is None for c in driver.experiment_class("celeba").columns(other).values())


def test_an_energy_has_no_log_likelihoods(tmp_path):
    _, metrics = run(tmp_path, "--density", "cross_entropy", figures=True)
    assert metrics["log_likelihood"] is None
    columns = driver.experiment_class("celeba").columns(metrics)
    assert next(iter(columns)) == "f1 from image"
    assert {p.name for p in (tmp_path / "run/figures").iterdir()} >= {"attributes_to_image.png", "reconstructions.png"}


def test_binary_pixels_are_what_the_model_sees(tmp_path):
    out, _ = run(tmp_path, "--density", "bernoulli")
    for batch in runs.open_run(out).experiment.data().judged():
        assert set(batch.data["image"].unique().tolist()) == {0.0, 1.0}


def test_training_faces_are_a_subset_that_the_seed_chooses(tmp_path):
    words = [*Config.tiny, "--synthetic", str(tmp_path / "faces"), "--samples", "10", "--seed"]
    chosen = []
    for seed in ("0", "0", "1"):
        config = configuration.parse_run(Config, [*words, seed], "")
        chosen.append(runs.configured(config).data().train.pixels.rows)
    assert len(chosen[0]) == 10
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert (chosen[0] != chosen[2]).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--density", "beta"], "--density: expected laplace, normal"),
        (["--data", "nowhere"], "expected the folder img_align_celeba"),
        (["--early-stop", "3"], "--early-stop: expected one beta throughout"),
        (["--side", "20"], "--side"),
        (["--synthetic-faces", "5"], "--synthetic-faces"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, words, message, capsys):
    with pytest.raises(SystemExit) as error:
        run(tmp_path, *words)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_an_early_stop_looks_at_the_validation_split(tmp_path):
    _, metrics = run(tmp_path, "--early-stop", "1", "--beta-start", "1")
    assert metrics["samples"]["held_out"] == 6
    assert (tmp_path / "run/checkpoints/best.ckpt").is_file()


def test_published_rows_that_no_one_model_can_have_are_only_the_smvaes():
    impossible = {key for key, row in PUBLISHED.items() if row[0] > row[1] + 5}
    assert ("set", "smvae") in impossible
    assert all(torch.tensor(row).isfinite().all() for row in PUBLISHED.values())
