"""The experiment with images and labels from end to end on tiny sets, through its command line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import shlex
import shutil
import struct
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from pyro_mmvae import estimators, guides
from pyro_mmvae.data.binarise import binarise
from pyro_mmvae.data.idx import read_idx
from pyro_mmvae.data.labelled_images import download_labelled_images, read_labelled_images, small_digits
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.common.configuration import read, write
from pyro_mmvae.experiments.common.latents import on_a_plane
from pyro_mmvae.experiments.common.opened import experiment_of, open_run
from pyro_mmvae.experiments.common.runs import load_checkpoint
from pyro_mmvae.experiments.common.timed import Timed
from pyro_mmvae.experiments.likelihood.options import Options as LikelihoodOptions
from pyro_mmvae.experiments.mnist.build import build_loss
from pyro_mmvae.experiments.mnist.cli import main
from pyro_mmvae.experiments.mnist.config import DEFAULT_OBJECTIVES, Config, resolved
from pyro_mmvae.experiments.mnist.data import MnistData, open_splits
from pyro_mmvae.experiments.rhd.config import Config as HandConfig

SMALL = ["--widths", "16", "--label-widths", "16", "--latent-dim", "3", "--batch-size", "16", "--num-samples", "30"]
SMALL += ["--device", "cpu", "--epochs", "2"]


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stripes whose place is the class, in MNIST's files."""
    made = tmp_path_factory.mktemp("mnist")
    rng = np.random.default_rng(0)
    for name, count in (("train", 100), ("t10k", 40)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 6] += 190
        (made / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (made / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return made


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "poe"
    main(["--guide", "poe", "--data", str(folder), "--out", str(out), *SMALL])
    return out


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def history_of(run):
    with (run / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


# -- data


def test_published_files_are_found_wherever_tools_put_them(folder, tmp_path):
    expected = read_labelled_images(folder, "mnist", train=True)
    assert expected.images.shape == (100, 28, 28)
    torchvision = tmp_path / "FashionMNIST" / "raw"
    shutil.copytree(folder, torchvision)
    for name in ("images-idx3", "labels-idx1"):
        path = torchvision / f"train-{name}-ubyte"
        if not path.exists():
            path.write_bytes(gzip.decompress(path.with_suffix(".gz").read_bytes()))
            path.with_suffix(".gz").unlink()
    (torchvision / "train-labels-idx1-ubyte").rename(torchvision / "train-labels.idx1-ubyte")
    found = read_labelled_images(tmp_path, "fashion", train=True)
    torch.testing.assert_close(found.images, expected.images)
    torch.testing.assert_close(found.labels, expected.labels)
    with pytest.raises(FileNotFoundError, match="give the folder of the files"):
        read_labelled_images(tmp_path, "mnist", train=True)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on this machine from which torchvision downloads, with the folder of its files."""
    files = tmp_path / "server"
    files.mkdir()
    for prefix, count in (("train", 30), ("t10k", 20)):
        labels = np.arange(count) % 10
        images = np.broadcast_to(labels[:, None, None], (count, 28, 28))
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            (files / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    resources = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(files.iterdir())]
    handler = partial(SimpleHTTPRequestHandler, directory=files)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{serving.server_port}/"])
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
        yield files
        serving.shutdown()


def test_download_by_torchvision(server, tmp_path):
    download_labelled_images(tmp_path / "data", "mnist")
    shutil.rmtree(server)
    download_labelled_images(tmp_path / "data", "mnist")  # nothing is missing, so no server is asked
    found = read_labelled_images(tmp_path / "data", "mnist", train=False)
    torch.testing.assert_close(found.labels, torch.arange(20) % 10)
    torch.testing.assert_close(found.images[:, 0, 0].long(), found.labels)


def test_download_that_fails_says_what_to_do(server, tmp_path, capsys):
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(OSError, match="Copy the four published files there"):
        download_labelled_images(tmp_path / "data", "mnist")
    shutil.rmtree(server)
    with pytest.raises(SystemExit):
        main(["--guide", "poe", "--data", str(tmp_path / "new"), "--download", "--out", str(tmp_path / "run"), *SMALL])
    assert "could not download MNIST" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((3, 4)))[:-1], "announces 12 values of shape \\(3, 4\\), but 11 follow"),
        (idx(np.zeros((3, 4)))[:6], "the file is damaged"),
        (idx(np.zeros((3, 4))) + b"x", "but 13 follow"),
        (b"", "expected an IDX file"),
        (b"<html>not found</html>", "expected an IDX file"),
        (struct.pack(">HBBI", 0, 13, 1, 1) + bytes(4), "unsigned bytes"),
        (struct.pack(">HBB4I", 0, 8, 4, *[2**31] * 4), "the file is damaged"),
    ],
)
def test_damaged_files_are_refused(content, message, tmp_path):
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(content))
    for name in ("plain", "zipped.gz"):
        with pytest.raises(ValueError, match=message):
            read_idx(tmp_path / name)


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_truncated_archives_are_refused(cut, tmp_path):
    whole = gzip.compress(idx(np.random.default_rng(0).integers(0, 255, (30, 30))))
    (tmp_path / "a.gz").write_bytes(whole[:cut])
    with pytest.raises(ValueError, match="cannot be decompressed"):
        read_idx(tmp_path / "a.gz")
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 255
    (tmp_path / "b.gz").write_bytes(broken)
    with pytest.raises(ValueError, match="cannot be decompressed"):
        read_idx(tmp_path / "b.gz")


def test_images_and_labels_have_to_belong_together(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "set")
    shutil.copy(folder / "t10k-labels-idx1-ubyte", tmp_path / "set" / "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match=r"got \(100, 28, 28\) and \(40,\)"):
        read_labelled_images(tmp_path / "set", "mnist", train=True)


def test_the_installed_digits():
    found = small_digits()
    assert found.images.shape == (1797, 28, 28)
    assert found.labels.bincount().min() > 170
    splits = open_splits(resolved(Config(seed=3)))
    other = open_splits(resolved(Config(seed=4)))
    assert [len(part.labels) for part in splits] == [1422, 75, 300]
    torch.testing.assert_close(splits.test.images, other.test.images)  # the same for all seeds
    assert not torch.equal(splits.train.images, other.train.images)


def test_binary_pixels_have_the_grey_value_as_probability():
    levels = torch.tensor([0, 1, 64, 128, 200, 254, 255], dtype=torch.uint8)
    drawn = binarise(levels.expand(40_000, 7).contiguous(), 1, 2).double()
    expected = levels.double() / 255
    error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((drawn.mean(0) - expected).abs() <= 4 * error).all()
    assert drawn[:, 0].max() == 0
    assert drawn[:, -1].min() == 1


def test_draws_depend_on_their_key_alone():
    images = small_digits().images[:50]
    torch.manual_seed(1)
    first, state = binarise(images, 5), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # the global generator is left alone
    assert torch.equal(binarise(images, 5), first)
    assert not torch.equal(binarise(images, 6), first)


def batches_of(folder, binarisation, seed=0, epoch=0, **options):
    data = MnistData(resolved(Config(data=folder, binarisation=binarisation, seed=seed, batch_size=16, **options)))
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return data, list(loader)


def test_binarisation_of_training_and_test_images(folder):
    rows = torch.arange(20)
    for binarisation, again in (("static", True), ("none", True), ("dynamic", False)):
        data, _ = batches_of(folder, binarisation)
        one, two = (data.train.batch(Draws(rows, epoch)).data["image"] for epoch in (0, 1))
        assert torch.equal(one, two) == again
        binary = set(one.unique().tolist()) == {0.0, 1.0}
        assert binary == (binarisation != "none")
    test = [batches_of(folder, b, seed=s)[0].test_batch().data["image"] for b, s in (("static", 0), ("dynamic", 1))]
    assert torch.equal(*test)  # one test set for all runs


def test_an_epoch_is_a_function_of_seed_and_number(folder):
    (_, one), (_, again), (_, later) = (batches_of(folder, "dynamic", epoch=e) for e in (3, 3, 4))
    for name in ("image", "label"):
        assert all(torch.equal(a.data[name], b.data[name]) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0].data["label"], later[0].data["label"])


def test_hidden_labels_stay_hidden(folder):
    data, batches = batches_of(folder, "static", missing=0.4)
    seen = torch.cat([b.observed["label"] for b in batches])
    labels = torch.cat([b.data["label"] for b in batches])
    assert 0.4 < seen.float().mean() < 0.8
    torch.testing.assert_close(labels.sum(-1), seen.float())
    assert data.test_batch().observed["label"].all()


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
    assert figures == {"latent.png", "reconstructions.png", "label_to_image.png", "training.png"}
    assert [row["epoch"] for row in history_of(run)] == ["0.0", "1.0"]
    assert experiment_of(run) == "mnist"


def test_a_finished_run_is_evaluated_again_with_refined_proposals(run, tmp_path, capsys):
    again = tmp_path / "run"
    shutil.copytree(run, again)
    main(["--config", str(again / "config.yaml"), "--out", str(again), "--resume", "--refine", "3", "--no-figures"])
    assert "q(z \\| image, label), refined 3 steps" in capsys.readouterr().out
    opened = open_run(again)
    (batch,) = opened.batches
    columns = metrics_of(again)["log_likelihood"]["image"]
    direct = estimators.log_likelihoods(
        opened.model,
        opened.guide,
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
    opened = open_run(run)
    (batch,) = opened.batches
    found = metrics_of(run)["log_likelihood"]
    common = {"num_samples": 30, "seed": estimators.batch_seed(0, 0)}
    for given, columns in found.items():
        parts = opened.model, opened.guide, batch
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
        probabilities = opened.model.decode(opened.model.prior().sample((20_000,)), "label").probs.mean(0)
    evidence = probabilities.log()[batch.data["label"].argmax(-1)].mean()
    columns = found["image+label"]
    assert columns["joint"]["mean"] - columns["image_given_label"]["mean"] == pytest.approx(evidence.item(), abs=0.5)


def test_a_killed_run_resumes_to_the_same_numbers(folder, tmp_path, monkeypatch):
    arguments = ["--data", str(folder), "--guide", "poe", "--objective", "mvae", "--binarisation", "dynamic"]
    arguments += [*SMALL, "--epochs", "4", "--no-figures", "--missing", "0.3", "--beta-start", "0.1"]
    main([*arguments, "--out", str(tmp_path / "whole")])

    def dies(self, trainer, module):
        if trainer.current_epoch == 2:
            raise ValueError("power cut")
        start(self, trainer, module)

    start = Timed.on_train_epoch_start
    monkeypatch.setattr(Timed, "on_train_epoch_start", dies)
    with pytest.raises(SystemExit):
        main([*arguments, "--out", str(tmp_path / "cut")])
    monkeypatch.undo()
    monkeypatch.undo()
    assert len(history_of(tmp_path / "cut")) == 2
    main([*arguments, "--out", str(tmp_path / "cut"), "--resume"])
    whole, cut = (load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "cut"))
    torch.testing.assert_close(cut["state_dict"], whole["state_dict"], rtol=0, atol=0)
    assert history_of(tmp_path / "cut") == history_of(tmp_path / "whole")
    assert metrics_of(tmp_path / "cut")["log_likelihood"] == metrics_of(tmp_path / "whole")["log_likelihood"]


def test_an_early_stop_keeps_the_best_epoch(folder, tmp_path):
    arguments = ["--data", str(folder), "--guide", "poe", "--objective", "extended", *SMALL, "--no-figures"]
    main([*arguments, "--epochs", "9", "--early-stop", "1", "--learning-rate", "0", "--out", str(tmp_path / "run")])
    assert len(history_of(tmp_path / "run")) < 9
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize("guide", guides.available())
def test_every_guide_trains_with_the_objective_it_was_published_with(folder, tmp_path, guide):
    main(
        [
            "--data",
            str(folder),
            "--guide",
            guide,
            "--out",
            str(tmp_path / "run"),
            *SMALL,
            "--epochs",
            "1",
            "--no-figures",
        ]
    )
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
    loss = build_loss(resolved(Config(data=folder, binarisation="none", density=density, guide="poe")))
    assert type(loss.model.likelihoods["image"]).__name__.lower() == density


@pytest.mark.slow
def test_the_demo_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["--guide", "joint", "--objective", "jmvae", "--out", "run"])
    found = metrics_of(tmp_path / "run")
    assert found["label_accuracy"] > 0.85
    assert found["coherence"] > 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guide", "goe"], "unknown name 'goe' in pyro_mmvae.guides; choose one of attention, crossmodal"),
        (["--objective", "elbo"], "unknown name 'elbo' in pyro_mmvae.objectives"),
        (["--guide-options", "prior=false"], "do not fit the guide 'poe'"),
        (["--objective", "jmvae", "--objective-options", "gamma=2"], "do not fit the objective 'jmvae'"),
        (["--objective-options", "alpha"], "expected name=value"),
        (["--objective", "mmvae"], "use a mixture guide"),
        (["--data", "nowhere"], "give the folder of the files"),
        (["--batch-size", "0"], "--batch-size: expected at least 1"),
        (["--widths", "0"], "--widths: expected one or more layers"),
        (["--missing", "1"], "--missing: expected a share"),
        (["--samples", "1.9"], "--samples: expected a share in (0, 1] or a whole number"),
        (["--beta-share", "0"], "--beta-share"),
        (["--early-stop", "1", "--validation", "0"], "give --validation a share above 0"),
        (["--early-stop", "1", "--beta-start", "0"], "changes its meaning"),
        (["--device", "cuda"], "CUDA"),
        (["--resume"], "nothing to resume"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = [] if "--data" in arguments else ["--data", str(folder)]
    with pytest.raises(SystemExit) as error:
        main([*SMALL, "--guide", "poe", *data, *arguments])
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert not (tmp_path / "runs").exists()


def test_sets_that_need_a_folder_say_so(capsys):
    for arguments, message in [
        (["--dataset", "fashion"], "give the folder of its files as --data"),
        (["--download"], "--download"),
    ]:
        with pytest.raises(SystemExit):
            main(arguments)
        assert message in capsys.readouterr().err


def test_another_run_cannot_pass_for_a_resumed_one(run, capsys):
    again = ["--config", str(run / "config.yaml"), "--out", str(run)]
    for arguments, message in [(["--seed", "5", "--resume"], "seed: 0 -> 5"), ([], "holds a run already")]:
        with pytest.raises(SystemExit):
            main([*again, *arguments])
        assert message in capsys.readouterr().err


def test_help_does_not_wait_for_pytorch():
    code = """
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from pyro_mmvae.experiments.{name}.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print("torch" in sys.modules or "lightning" in sys.modules or "sklearn" in sys.modules)
"""
    for name in ("mnist", "likelihood", "rhd"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(name=name)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "False", name


def test_the_literature_s_networks():
    loss = build_loss(resolved(Config(data="somewhere", guide="poe", objective="mvae")))

    def sizes(module):
        return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, torch.nn.Linear)]

    assert sizes(loss.guide.encoders["image"]) == [(512, 784), (512, 512)]
    assert sizes(loss.guide.heads["image"]) == [(128, 512)]
    assert sizes(loss.model.decoders["image"]) == [(512, 64), (512, 512), (784, 512)]
    assert sizes(loss.model.decoders["label"]) == [(512, 64), (512, 512), (10, 512)]


def test_latents_on_a_plane():
    rng = np.random.default_rng(0)
    flat = {"a": rng.normal(size=(5, 2)), "b": rng.normal(size=(4, 2))}
    placed, how = on_a_plane(flat)
    assert how == "the two latent dimensions"
    np.testing.assert_array_equal(placed["b"], flat["b"])
    centres = rng.normal(size=(2, 8)) * 20
    many = {"a": centres[0] + rng.normal(size=(20, 8)), "b": centres[1] + rng.normal(size=(15, 8))}
    placed, how = on_a_plane(many)
    assert how == "t-SNE"
    gap = np.linalg.norm(placed["a"].mean(0) - placed["b"].mean(0))
    assert gap > 2 * placed["a"].std()


# -- runs of other experiments and times


def test_the_experiment_of_a_run(tmp_path):
    write(HandConfig(), tmp_path / "config.yaml")
    assert experiment_of(tmp_path) == "rhd"
    lines = (tmp_path / "config.yaml").read_text().splitlines()
    assert lines[0] == "experiment: rhd"
    (tmp_path / "config.yaml").write_text("\n".join(lines[1:]))  # as older runs are
    assert experiment_of(tmp_path) == "rhd"
    assert read(HandConfig, tmp_path / "config.yaml") == HandConfig()
    (tmp_path / "config.yaml").write_text("experiment: mnist\n")
    with pytest.raises(ValueError, match="is of the experiment 'mnist', not of 'rhd'"):
        read(HandConfig, tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("experiment: nonsense\n")
    with pytest.raises(ValueError, match="no experiment that can be opened"):
        experiment_of(tmp_path)


# -- documentation


@pytest.mark.parametrize(("experiment", "options"), [("mnist", Config), ("likelihood", LikelihoodOptions)])
def test_options_on_command_lines_exist(experiment, options):
    page = (Path(__file__).parents[2] / "docs" / "mnist.md").read_text().replace("\\\n", " ")
    fields = {f"--{name.replace('_', '-')}" for name in options.__dataclass_fields__}
    lines = re.findall(rf"^python -m experiments\.{experiment} (.*)$", page, re.M)
    used = {word for line in lines for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert lines
    assert used <= fields


def test_the_documented_defaults_are_the_code_s():
    page = (Path(__file__).parents[2] / "docs" / "mnist.md").read_text()
    for guide, objective in DEFAULT_OBJECTIVES.items():
        assert f"| `{guide}` | `{objective}`" in page
