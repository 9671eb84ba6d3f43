"""The experiment with images and labels on tiny sets: its data, its numbers, its options."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from idx_factory import write_stripes

from pyro_mmvae import estimators, guides
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import parse_run
from pyro_mmvae.experiments.mnist.config import DEFAULT_OBJECTIVES, Config
from pyro_mmvae.experiments.mnist.data import MnistData, open_splits
from pyro_mmvae.experiments.mnist.experiment import Experiment

SMALL = ["--widths", "16", "--label-widths", "16", "--latent-dim", "3", "--batch-size", "16", "--num-samples", "30"]
SMALL += ["--device", "cpu", "--epochs", "2"]


def main(words):
    driver.main("mnist", words)


def configured(*words):
    return parse_run(Config, [str(word) for word in words], "mnist")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stripes(tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "poe"
    main(["--guide", "poe", "--data", str(folder), "--out", str(out), *SMALL])
    return out


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def history_of(run):
    with (run / "history.csv").open() as file:
        return list(csv.DictReader(file))


# -- data


def test_the_test_samples_of_an_installed_set_are_the_same_for_all_seeds():
    splits, other = (open_splits(configured("--seed", seed)) for seed in (3, 4))
    assert [len(part.labels) for part in splits] == [1422, 75, 300]
    torch.testing.assert_close(splits[2].images, other[2].images)
    assert not torch.equal(splits[0].images, other[0].images)


def batches_of(folder, binarisation, *words, epoch=0):
    data = MnistData(configured("--data", folder, "--binarisation", binarisation, "--batch-size", 16, *words))
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return data, list(loader)


def test_binarisation_of_training_and_test_images(folder):
    rows = torch.arange(20)
    for binarisation, again in (("static", True), ("none", True), ("dynamic", False)):
        data, _ = batches_of(folder, binarisation)
        one, two = (data.train.batch(Draws(rows, (epoch, 0, 0))).data["image"] for epoch in (0, 1))
        assert torch.equal(one, two) == again
        binary = set(one.unique().tolist()) == {0.0, 1.0}
        assert binary == (binarisation != "none")
    test = [batches_of(folder, b, "--seed", s)[0].judged_batch() for b, s in (("static", 0), ("dynamic", 1))]
    assert torch.equal(*(batch.data["image"] for batch in test))  # one test set for all runs


def test_an_epoch_is_a_function_of_seed_and_number(folder):
    (_, one), (_, again), (_, later) = (batches_of(folder, "dynamic", epoch=e) for e in (3, 3, 4))
    for name in ("image", "label"):
        assert all(torch.equal(a.data[name], b.data[name]) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0].data["label"], later[0].data["label"])


def test_hidden_labels_stay_hidden(folder):
    data, batches = batches_of(folder, "static", "--missing", 0.4)
    seen = torch.cat([b.observed["label"] for b in batches])
    labels = torch.cat([b.data["label"] for b in batches])
    assert 0.4 < seen.float().mean() < 0.8
    torch.testing.assert_close(labels.sum(-1), seen.float())
    assert data.judged_batch().observed["label"].all()


def test_held_out_samples_are_judged_where_they_are_asked_for(folder):
    data, _ = batches_of(folder, "static", "--validation", 0.2, "--judge", "validation")
    assert data.judged_batch().size == len(data.real[1].labels) == 20
    assert torch.equal(data.judged_batch().data["label"].argmax(-1), data.real[1].labels)


# -- runs


def test_a_run_leaves_everything_behind(run):
    found = metrics_of(run)
    assert set(found["log_likelihood"]) == {"image+label", "image"}
    for given, columns in found["log_likelihood"].items():
        assert set(columns) == {"joint", "image", "image_given_label"}
        for estimate in columns.values():
            assert {"mean", "se", "ess", "khat_over_0.7"} <= set(estimate)
            assert -1000 < estimate["mean"] < 0
        bound = found["elbo"][given]
        assert bound["joint"]["mean"] < columns["joint"]["mean"]
        assert bound["image"]["mean"] < columns["image"]["mean"]
    assert 0 <= found["label_accuracy"] <= 1
    assert 0 <= found["coherence"] <= 1
    assert found["coherence_classifier_accuracy"] == 1  # stripes are easy
    assert found["pixels"].startswith("binary")
    assert found["samples"] == {"training": 95, "held_out": 5, "test": 40}
    assert {"seconds", "samples_per_second", "config", "versions"} <= set(found)
    figures = {path.name for path in (run / "figures").iterdir()}
    expected = {"latent.png", "reconstructions.png", "label_to_image.png", "training.png", "cross_correlation.png"}
    assert figures == expected
    assert [row["epoch"] for row in history_of(run)] == ["0.0", "1.0"]


def test_a_finished_run_is_evaluated_again_with_refined_proposals(run, tmp_path, capsys):
    again = tmp_path / "run"
    shutil.copytree(run, again)
    main(["--config", str(again / "config.yaml"), "--out", str(again), "--resume", "--refine", "3", "--no-figures"])
    assert "q(z \\| image, label), refined 3 steps" in capsys.readouterr().out
    opened = runs.open_run(again)
    (batch,) = opened.experiment.data().judged()
    columns = metrics_of(again)["log_likelihood"]["image"]
    direct = estimators.log_likelihoods(
        opened.loss.model,
        opened.loss.guide,
        batch,
        of=[["image", "label"], ["image"]],
        given=["image"],
        num_samples=30,
        seed=estimators.batch_seed(0, 0),
        refine=3,
    )
    assert columns["joint"] == pytest.approx(direct[0].summary())
    assert columns["image"] == pytest.approx(direct[1].summary())
    assert columns["joint"]["mean"] != metrics_of(run)["log_likelihood"]["image"]["joint"]["mean"]


def test_the_numbers_are_those_of_the_estimators(run):
    opened = runs.open_run(run)
    model, guide = opened.loss.model, opened.loss.guide
    (batch,) = opened.experiment.data().judged()
    found = metrics_of(run)["log_likelihood"]
    common = {"num_samples": 30, "seed": estimators.batch_seed(0, 0)}
    for given, columns in found.items():
        parts = model, guide, batch
        common["given"] = given.split("+")
        with torch.no_grad():
            joint = estimators.log_likelihood(*parts, of=["image", "label"], **common).summary()
            image = estimators.log_likelihood(*parts, of=["image"], **common).summary()
            conditional = estimators.conditional_log_likelihood(
                *parts, of=["image"], on=["label"], evidence="prior", **common
            ).summary()
        for name, direct in (("joint", joint), ("image", image), ("image_given_label", conditional)):
            assert columns[name] == pytest.approx(direct, nan_ok=True), name
    with torch.no_grad():
        probabilities = model.decode(model.prior().sample((20_000,)), "label").probs.mean(0)
    evidence = probabilities.log()[batch.data["label"].argmax(-1)].mean()
    columns = found["image+label"]
    assert columns["joint"]["mean"] - columns["image_given_label"]["mean"] == pytest.approx(evidence.item(), abs=0.5)


def test_an_early_stop_keeps_the_best_epoch(folder, tmp_path):
    arguments = ["--data", str(folder), "--guide", "poe", "--objective", "extended", *SMALL, "--no-figures"]
    main([*arguments, "--epochs", "9", "--early-stop", "1", "--learning-rate", "0", "--out", str(tmp_path / "run")])
    assert len(history_of(tmp_path / "run")) < 9
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize("guide", guides.available())
def test_every_guide_trains_with_the_objective_it_was_published_with(folder, tmp_path, guide):
    words = ["--data", str(folder), "--guide", guide, "--out", str(tmp_path / "run")]
    main([*words, *SMALL, "--epochs", "1", "--no-figures"])
    found = metrics_of(tmp_path / "run")
    both = {"image"} if guide == "crossmodal" else {"image+label", "image"}
    assert set(found["log_likelihood"]) == both
    assert (found["coherence"] is None) == (guide == "crossmodal")


@pytest.mark.parametrize("density", ["laplace", "normal"])
def test_grey_values_are_scored_by_a_density_that_is_named(folder, tmp_path, capsys, density):
    arguments = ["--data", str(folder), "--guide", "poe", "--binarisation", "none", "--density", density, *SMALL]
    main([*arguments, "--epochs", "1", "--no-figures", "--out", str(tmp_path / "run")])
    assert f"under a {density} density of scale 0.1" in capsys.readouterr().out
    assert density in metrics_of(tmp_path / "run")["pixels"]
    model = runs.open_run(tmp_path / "run").loss.model
    assert type(model.likelihoods["image"]).__name__.lower() == density


@pytest.mark.slow
def test_the_demo_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["--guide", "joint", "--objective", "jmvae", "--out", "run"])
    found = metrics_of(tmp_path / "run")
    assert found["label_accuracy"] > 0.85
    assert found["coherence"] > 0.7


# -- options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objective", "mmvae"], "use a mixture guide"),
        (["--data", "nowhere"], "give the folder of the files"),
        (["--data", "nowhere", "--dataset", "digits"], "--data: expected none"),
        (["--widths", "0"], "--widths: expected int of at least 1"),
        (["--widths"], "--widths: expected one or more layers"),
        (["--missing", "1"], "--missing: expected float below 1"),
        (["--samples", "1.9"], "--samples: expected float of at most 1"),
        (["--early-stop", "1", "--validation", "0"], "--early-stop: expected --validation above 0"),
        (["--judge", "validation", "--validation", "0"], "--judge: expected --validation above 0"),
        (["--early-stop", "1", "--beta-start", "0"], "changes its meaning"),
        (["--dataset", "fashion"], "the folder of its files as --data"),
        (["--download"], "a folder to download to as --data"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main([*SMALL, "--guide", "poe", "--out", str(tmp_path / "run"), *words])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_real_data_imply_the_literature_s_settings(folder):
    def of(*words):
        config = configured(*words)
        return config.dataset, config.epochs, config.batch_size, config.num_samples

    assert of() == ("digits", 60, 32, 200)
    assert of("--data", folder) == of("--dataset", "mnist") == ("mnist", 200, 128, 1000)
    assert of("--data", folder, "--dataset", "fashion", "--epochs", 7) == ("fashion", 7, 128, 1000)


def test_beta_rises_unless_the_run_may_stop_early():
    assert configured().beta_start == 0
    assert configured("--early-stop", 3, "--beta-end", 0.5).beta_start == 0.5


def test_the_literature_s_networks():
    model, guide = Experiment(configured("--data", "somewhere", "--guide", "poe")).pair()

    def sizes(module):
        return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, torch.nn.Linear)]

    assert sizes(guide.encoders["image"]) == [(512, 784), (512, 512)]
    assert sizes(guide.heads["image"]) == [(128, 512)]
    assert sizes(model.decoders["image"]) == [(512, 64), (512, 512), (784, 512)]
    assert sizes(model.decoders["label"]) == [(512, 64), (512, 512), (10, 512)]


def test_columns_have_published_values_for_what_was_published(run):
    metrics = metrics_of(run)
    columns = Experiment.columns(metrics)
    assert columns["log p(image) from q(z|image+label)"].published == -90.62
    assert columns["log p(image | label) from q(z|image)"].published == -88.56
    assert columns["k-hat > 0.7 from q(z|image)"].better == "lower"
    metrics["config"]["binarisation"] = "none"
    assert all(column.published is None for column in Experiment.columns(metrics).values())
    assert math.isnan(Experiment.columns({**metrics, "coherence": None})["coherence"].value)


# -- documentation


def test_options_on_command_lines_exist():
    page = (Path(__file__).parents[2] / "docs" / "mnist.md").read_text().replace("\\\n", " ")
    fields = {f"--{name.replace('_', '-')}" for name in Config.__dataclass_fields__}
    lines = re.findall(r"^python -m experiments\.mnist (.*)$", page, re.M)
    used = {word for line in lines for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert lines
    assert used <= fields


def test_the_documented_defaults_are_the_code_s():
    page = (Path(__file__).parents[2] / "docs" / "mnist.md").read_text()
    for guide, objective in DEFAULT_OBJECTIVES.items():
        assert f"| `{guide}` | `{objective}`" in page
