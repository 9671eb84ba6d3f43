"""The experiment with entangled sets: autoencoders that runs share, a whole tiny run."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise

import pytest
import torch

from pyro_mmvae import IncompatibleError
from pyro_mmvae.data.labelled_images import CLASSES
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.configuration import parse_run
from pyro_mmvae.experiments.entangled.autoencoders import NAMES, autoencoder, autoencoder_path, unimodal_set
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.data import PairData
from pyro_mmvae.experiments.entangled.experiment import Experiment
from pyro_mmvae.files import made_once

TINY = ["--samples", "150", "--test-samples", "40", "--num-samples", "30", "--epochs", "1", "--widths", "8"]
TINY += ["--cvae-epochs", "1", "--cvae-hidden", "8", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("autoencoders")


@pytest.fixture
def configured(folder):
    return lambda *words: parse_run(Config, [*TINY, "--autoencoders", str(folder), *words], "entangled")


def test_an_autoencoder_is_told_the_class(configured):
    config = configured("--cvae-hidden", "32", "--cvae-epochs", "15", "--batch-size", "64")
    model, images = autoencoder(config, "a"), unimodal_set(config, "a")
    grey = images.images.flatten(1).float() / 255
    with torch.no_grad():
        loc, _ = model.infer(grey, images.labels)
        decoded = [model.decode(loc, (images.labels + shift) % CLASSES) for shift in (0, 1)]
    right, wrong = (torch.nn.functional.binary_cross_entropy_with_logits(x, grey) for x in decoded)
    assert right < 0.9 * wrong


def test_an_autoencoder_is_trained_once_whatever_else_a_run_does(configured, tmp_path, capsys):
    config = configured()
    first = autoencoder(config, "b").state_dict()
    capsys.readouterr()
    torch.manual_seed(7)
    again = autoencoder(configured("--widths", "5", "--pairs", "mixed"), "b").state_dict()
    assert "training" not in capsys.readouterr().out
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    elsewhere = autoencoder(configured("--autoencoders", str(tmp_path)), "b").state_dict()
    assert "training" in capsys.readouterr().out
    torch.testing.assert_close(elsewhere, first, rtol=0, atol=0)


def test_an_autoencoder_s_file_is_named_after_what_it_was_trained_with(configured):
    words = [[], ["--cvae-beta", "2"], ["--batch-size", "7"], ["--seed", "1"], ["--first", "x"], ["--first", "y"]]
    words += [
        ["--cvae-network", "conv"],
        ["--pixels", "grey"],
        ["--cvae-latent", "3"],
        ["--cvae-hidden", "9"],
        ["--cvae-epochs", "2"],
    ]
    paths = [autoencoder_path(configured(*chosen), "a") for chosen in words]
    assert len(set(paths)) == len(words)
    assert autoencoder_path(configured("--first", "x", "--samples", "9"), "b") == autoencoder_path(configured(), "b")


@pytest.mark.parametrize("content", [b"nonsense", None])
def test_a_damaged_autoencoder_is_refused(configured, tmp_path, content):
    config = configured("--autoencoders", str(tmp_path))
    path = autoencoder_path(config, "a")
    if content is None:
        torch.save({"encoder.layers.0.weight": torch.zeros(2)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"(loaded safely|of another network).*; delete it"):
        autoencoder(config, "a")


def test_what_two_runs_want_at_once_is_made_by_one(tmp_path):
    made = []

    def make(path):
        made.append(path)
        time.sleep(0.2)
        path.write_text("whole")

    threads = [threading.Thread(target=made_once, args=(tmp_path / "new" / "file.pt", make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (tmp_path / "new" / "file.pt").read_text() == "whole"


def test_splits_are_draws_of_their_own(configured):
    data = PairData(configured())
    splits = [data.train.values, data.validation.values, data.test.values]
    assert [part.size for part in splits] == [150, 40, 40]
    for one, two in pairwise(splits):
        assert not torch.equal(one.data["a"][:40], two.data["a"][:40])
    held_out = PairData(configured("--judge", "validation"))
    assert torch.equal(held_out.judged_batch().data["b"], data.validation.values.data["b"])
    assert torch.equal(held_out.pairs.a, held_out.judged_batch().data["a"])
    mixed = PairData(configured("--pairs", "mixed"))
    assert torch.equal(mixed.train.values.data["a"], splits[0].data["a"])
    assert not torch.equal(mixed.train.values.data["b"], splits[0].data["b"])


def test_a_run(configured, folder, tmp_path, capsys):
    words = [*TINY, "--autoencoders", str(folder), "--out", str(tmp_path / "run"), "--pairs", "mixed"]
    driver.main("entangled", [*words, "--objective", "m2vae"])
    assert "mixed pairs of digits and rendered shapes: 150 training, 40 held out, 40 test" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    bound, found = metrics["elbo"]["a+b"]["joint"], metrics["log_likelihood"]["a+b"]
    assert set(found) == {"joint", *NAMES}
    assert bound["mean"] < found["joint"]["mean"] < 0
    assert metrics["published_grey"] == -204.48
    figures = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert figures == {"pairs", "autoencoders", "latent", "training", "cross_correlation"}
    columns = Experiment.columns(metrics)
    assert next(iter(columns.values())).value == bound["mean"]
    assert columns["log p(a, b) from q(z|a+b)"].value == found["joint"]["mean"]
    assert all(column.published is None for column in columns.values())  # of grey pixels, another quantity


def test_grey_pixels_have_a_bound_that_is_no_log_likelihood(folder, tmp_path, capsys):
    words = [*TINY, "--paper", "korthals2019", "--samples", "60", "--autoencoders", str(folder)]
    driver.main("entangled", [*words, "--no-figures", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "minus cross-entropy of grey pixels minus KL: -" in printed
    assert "log p(" not in printed
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["log_likelihood"] == {}
    assert metrics["elbo"]["a+b"]["joint"]["mean"] < 0
    ((name, column),) = Experiment.columns(metrics).items()
    assert (name, column.published) == ("minus cross-entropy of grey pixels minus KL from q(z|a+b)", None)
    metrics["config"] |= {"first": "MNIST", "second": "FASHION"}
    ((_, column),) = Experiment.columns(metrics).items()
    assert column.published == -199.23
    loss = runs.open_run(tmp_path).loss
    grey = PairData(parse_run(Config, words, "entangled")).judged_batch()
    with pytest.raises(IncompatibleError, match="energies"):
        log_likelihood(loss.model, loss.guide, grey, of=["a"], given=["a"], num_samples=2)


@pytest.mark.parametrize(("paper", "encoders"), [("korthals2019", 1), ("korthals2019-m2vae", 2)])
def test_the_paper_s_networks(paper, encoders):
    """Table 1: encoders 784-128-64, a joint one over both; a decoder 64-128-784 with tanh."""
    model, guide = Experiment(parse_run(Config, ["--paper", paper], "entangled")).pair()

    def sizes(module):
        return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, torch.nn.Linear)]

    assert sizes(guide.encoders["b"]) == encoders * [(128, 784), (64, 128)]
    assert sizes(guide.networks[-1]) == [(64, 128), (4, 64)]
    assert sizes(model.decoders["a"]) == [(64, 2), (128, 64), (784, 128)]
    assert sum(isinstance(m, torch.nn.Tanh) for m in model.decoders["a"].modules()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--guide", "poe", "--guide-options", "hidden=3"], "do not fit the guide 'poe'"),
        (["--test-samples", "3"], "--test-samples: expected int of at least 20, got 3"),
        (["--pairs", "naive"], "naive"),
        (["--first", "nowhere"], "nowhere"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, message, folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        driver.main("entangled", [*TINY, "--autoencoders", str(folder), "--out", str(tmp_path / "run"), *words])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_other_guides_have_options_of_their_own(configured):
    config = configured("--guide", "poe")
    assert (config.objective, config.guide_options) == ("mixing", ())
    assert configured().guide_options == ("networks=per_subset", "hidden=64")
