"""The food experiment beyond the contract: branches, baselines by option, thresholds, real layouts, the vocabulary."""

from __future__ import annotations

import json

import pytest
import torch
from food_factory import recipe1m
from torchvision.models import DenseNet

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import parse_run
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


def test_a_plain_classifier_is_a_baseline(tmp_path):
    out, metrics = run(tmp_path, "--guide", "crossmodal", "--feed-forward")
    assert list(metrics["branches"]) == ["feed_forward"]
    assert metrics["without_ingredients"] == {"training": 0, "held_out": 0, "judged": 0}
    loss = runs.open_run(out).loss
    assert loss.guide.inputs == ("image",)
    assert [(t.given, dict(t.decode), t.kl) for t in loss.elbo.table.terms] == [(("image",), {"ingredients": 1.0}, 0.0)]


@pytest.fixture(scope="module")
def upper(tmp_path_factory):
    return run(tmp_path_factory.mktemp("upper"))[0]


class TestFeatures:
    def test_vectors_of_the_upper_branch_and_a_classifier(self, upper, tmp_path, capsys):
        """CADA-VAE on features: what is decoded is what the frozen encoder makes, the classifier moves alone."""
        more = ["--guide", "poe", "--objective", "cada", "--features", str(upper), "--classifier-epochs", "2"]
        out, metrics = run(tmp_path, *more)
        assert f"upper branch's encoder of the run {upper}" in capsys.readouterr().out
        assert list(metrics["branches"]) == ["classifier", "image", "ingredients"]
        assert next(iter(driver.experiment_class("food").columns(metrics))) == "F1, classifier"
        opened = runs.open_run(out)
        data = opened.experiment.data()
        batch = next(iter(data.judged()))
        assert torch.equal(batch.data["classified"], batch.data["ingredients"])
        pictures = data.pictures(batch.size)
        encoder = runs.open_run(upper).loss.guide.encoders["image"]
        with torch.no_grad():
            torch.testing.assert_close(batch.data["image"], data.train.range.scaled(encoder(pictures)))
        assert data.train.vectors.min() == 0
        assert data.train.vectors.max() == 1
        phases = opened.experiment.phases(opened.loss.guide, 3)
        assert [(p.epochs, p.trainable[-1]) for p in phases] == [(2, "guide"), (2, "model.decoders.classified")]
        assert phases[0].objective.table.alignments[0].weight.end == 8.13

    def test_weights_of_a_densenet_are_a_file(self, tmp_path):
        torch.save(DenseNet().state_dict(), tmp_path / "weights.pth")
        words = ["--guide", "poe", "--objective", "crossvae", "--features", str(tmp_path / "weights.pth")]
        _, metrics = run(tmp_path, *words, "--synthetic-recipes", "40")
        assert list(metrics["branches"]) == ["image", "ingredients"]

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--tta", "2"], "--tta: expected 0 with --features"),
            (["--classifier-epochs", "4"], "--classifier-epochs: expected fewer than --epochs"),
            (["--picture-size", "48", "40", "--crop", "40"], "looks at pictures of 32 pixels"),
            (["--features", "nowhere"], "--features: expected a run's folder or a file of weights"),
        ],
    )
    def test_what_does_not_fit_ends_in_one_line(self, upper, tmp_path, capsys, more, message):
        with pytest.raises(SystemExit):
            run(tmp_path, "--guide", "poe", "--objective", "cada", "--features", str(upper), *more)
        assert message in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("changed", "published"),
    [
        ({}, 0.4075),
        ({"mapper_on": "runs/food/below"}, 0.41),
        ({"data": None}, None),
        ({"judge": "validation"}, None),
    ],
)
def test_published_numbers_stand_beside_those_of_the_same_method_on_real_data(changed, published):
    config = {"dataset": "yummly28k", "objective": "cada", "data": "set", "judge": "test", "mapper_on": None, **changed}
    scores = {"f1": 0.5, "iou": 0.4, "f1_global": 0.6, "iou_global": 0.5}
    metrics = {"config": config, "branches": {"image": scores, "classifier": scores}, "tta": {}}
    columns = driver.experiment_class("food").columns(metrics)
    assert list(columns) == ["F1, classifier", "F1, image", "IoU, classifier", "IoU, image"]
    assert columns["F1, classifier"].published == published
    assert columns["F1, image"].published is None


@pytest.mark.parametrize("words", [["--guide", "poe"], ["--guide", "poe", "--objective", "crossvae"]])
def test_cm_vae_has_the_pairs_of_the_paper_unless_others_are_given(tmp_path, words):
    """They follow from an objective that may itself follow from the guide."""
    out, _ = run(tmp_path, *words)
    terms = runs.open_run(out).loss.elbo.table.terms
    pairs = {(given, target) for term in terms for given in term.given for target in term.decode}
    assert pairs == {("image", "image"), ("image", "ingredients"), ("ingredients", "ingredients")}
    other = parse_run(Config, [*words, "--objective-options", "pairs=[[image, image]]"], "food")
    assert other.objective_options == ("pairs=[[image, image]]",)
