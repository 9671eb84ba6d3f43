"""The food experiment beyond the contract: branches, baselines by option, thresholds, real layouts, the vocabulary."""

from __future__ import annotations

import json

import pytest
import torch
from food_factory import recipe1m

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.food.config import Config
from pyro_mmvae.experiments.food.evaluation import closeness, probabilities
from pyro_mmvae.food.metrics import ingredient_metrics
from pyro_mmvae.food.vocabulary import Vocabulary


def run(folder, *more):
    out = folder / "run"
    words = [*Config.tiny, "--device", "cpu", "--out", str(out), "--index", str(folder / "index"), *more]
    driver.main("food", [*words, "--synthetic", str(folder / "plates"), "--no-figures"])
    return out, json.loads((out / "metrics.json").read_text())


def test_branches_have_scores_that_an_opened_run_finds_again(tmp_path, capsys):
    out, metrics = run(tmp_path, "--tta", "2")
    assert list(metrics["branches"]) == ["upper", "lower", "mapper"]
    assert list(metrics["tta"]) == ["upper", "mapper"]
    opened = runs.open_run(out)
    found, true = probabilities(opened.loss, opened.experiment.data().judged())
    for name, scores in metrics["branches"].items():
        again = ingredient_metrics(found[name], true, scores["threshold"])
        assert again.f1 == pytest.approx(scores["f1"])
        assert again.iou_global == pytest.approx(scores["iou_global"])
    assert Vocabulary.load(out / "vocabulary.json").names == opened.experiment.recipes.vocabulary.names
    capsys.readouterr()
    driver.main("food", ["vocabulary", str(out)])
    assert f"{metrics['ingredients']} ingredients" in capsys.readouterr().out


@pytest.mark.parametrize("objective", ["crossvae", "cada"])
def test_baselines_are_options(tmp_path, objective):
    _, metrics = run(tmp_path, "--guide", "poe", "--objective", objective)
    assert list(metrics["branches"]) == ["image", "ingredients"]
    assert 0 < metrics["baseline"]["most_frequent"]["f1"] <= 1


def test_recipe1m_with_a_densenet(tmp_path, capsys):
    lines = [["salt", "1 tomato"], ["2 cloves garlic", "salt"]] * 12
    splits = (["train"] * 4 + ["val", "test"]) * 4
    root = recipe1m(tmp_path / "set", lines, splits)
    small = ["--encoder", "densenet", "--pooled", "4", "4", "--pretrained", "False", "--least", "2", "--workers", "0"]
    _, metrics = run(tmp_path, "--data", str(root), "--dataset", "recipe1m", "--picture-size", "36", *small)
    assert metrics["samples"] == {"training": 16, "held_out": 4, "judged": 4}
    assert "F1, mapper" in driver.experiment_class("food").columns(metrics)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--crop", "64"], "--crop: expected at most the picture's 32 pixels"),
        (["--dataset", "recipe1m"], "--dataset: expected the folder of it as --data"),
        (["--mapper-epochs", "9"], "--epochs: expected no fewer than"),
        (["--guide", "poe", "--objective", "variational_alignment"], "--guide: expected mapper"),
        (["--data", "nowhere"], "expected Yummly-28K's layout"),
        (["--least", "1000"], "the vocabulary is empty"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, words, message, capsys):
    with pytest.raises(SystemExit) as error:
        run(tmp_path, *words)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_closeness_is_perfect_for_the_same_points_and_none_for_others():
    points = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)).numpy()
    found = closeness({"lower": points, "mapper": points, "upper": points[::-1].copy()})
    assert found["mapper"] == {"distance": pytest.approx(0, abs=1e-3), "neighbours": 1.0, "own": 1.0}
    assert found["upper"]["own"] == 0
