"""Entangled sets: what pairs share, a whole tiny run, going on, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pyro_mmvae.data.labelled_images import small_digits
from pyro_mmvae.data.shapes import rendered_shapes
from pyro_mmvae.experiments.common.opened import open_run
from pyro_mmvae.experiments.entangled.cli import main
from pyro_mmvae.experiments.entangled.cvae import ConditionalVAE, train_cvae
from pyro_mmvae.experiments.entangled.data import WITHIN, entangled, mixed

TINY = ["--samples", "150", "--test-samples", "40", "--num-samples", "30", "--epochs", "1", "--widths", "8"]
TINY += ["--cvae-epochs", "1", "--cvae-hidden", "8"]


def autoencoders():
    torch.manual_seed(0)
    return ConditionalVAE(2, 16, 1.0), ConditionalVAE(2, 16, 1.0)


class TestPairs:
    def test_entangled_pairs_share_latent_vector_and_class(self):
        pairs = entangled(*autoencoders(), 3000, seed=1)
        assert torch.equal(pairs.z_a, pairs.z_b)
        assert pairs.z_a.abs().max() <= WITHIN
        assert 0.8 < pairs.z_a.std() < 0.95  # a standard normal cut off at two has 0.88
        assert set(pairs.a.unique().tolist()) == {0.0, 1.0}
        assert torch.bincount(pairs.label).min() > 200

    def test_pixels_are_drawn_from_the_decoded_probabilities(self):
        first, second = autoencoders()
        pairs = entangled(first, second, 4000, seed=1)
        with torch.no_grad():
            expected = second.decode(pairs.z_b, pairs.label).sigmoid()
        torch.testing.assert_close(pairs.b.mean(0), expected.mean(0), atol=0.04, rtol=0)

    def test_mixed_pairs_share_the_class_alone(self):
        pairs = entangled(*autoencoders(), 2000, seed=1)
        swapped = mixed(pairs, seed=2)
        assert torch.equal(swapped.a, pairs.a)
        assert not torch.equal(swapped.b, pairs.b)
        for label in range(10):
            rows = pairs.label == label
            before, after = (np.sort(p.z_b[rows].numpy(), axis=0) for p in (pairs, swapped))
            np.testing.assert_array_equal(before, after)  # the same images of the class, in another order
        together = torch.corrcoef(torch.stack([swapped.z_a[:, 0], swapped.z_b[:, 0]]))[0, 1]
        assert abs(together) < 0.1

    def test_the_same_seed_draws_the_same(self):
        one, two, other = (entangled(*autoencoders(), 20, seed=s) for s in (1, 1, 2))
        assert torch.equal(one.b, two.b)
        assert not torch.equal(one.b, other.b)


class TestShapes:
    def test_ten_kinds_with_factors_of_variation(self):
        shapes = rendered_shapes(300, seed=0)
        assert shapes.images.shape == (300, 28, 28)
        assert set(shapes.labels.tolist()) == set(range(10))
        assert torch.equal(shapes.images, rendered_shapes(300, seed=0).images)
        ink = shapes.images.flatten(1).float().mean(1)
        assert ((ink > 5) & (ink < 160)).all()
        assert ink[shapes.labels == 7].std() > 5  # sizes differ within a class
        edge = torch.cat([shapes.images[:, 0], shapes.images[:, -1]]).float()
        assert (edge > 0).float().mean() < 0.02  # nothing is cut off

    def test_kinds_differ_more_than_samples_of_a_kind(self):
        shapes = rendered_shapes(600, seed=1)
        flat = shapes.images.flatten(1).float()
        nearest = torch.cdist(flat[:200], flat[200:]).argmin(1)
        assert (shapes.labels[:200] == shapes.labels[200:][nearest]).float().mean() > 0.7


def test_an_autoencoder_learns_and_is_kept(tmp_path):
    images = small_digits()
    model = ConditionalVAE(2, 32, 1.0)
    options = {"epochs": 15, "batch_size": 64, "seed": 0, "device": "cpu"}
    grey = images.images.flatten(1).float() / 255
    trained = train_cvae(images, tmp_path / "a.pt", model, **options)
    with torch.no_grad():
        loc, _ = trained.infer(grey, images.labels)
        right = trained.decode(loc, images.labels)
        wrong = trained.decode(loc, (images.labels + 1) % 10)
    error = [torch.nn.functional.binary_cross_entropy_with_logits(x, grey) for x in (right, wrong)]
    assert error[0] < 0.9 * error[1]  # the class matters
    again = train_cvae(images, tmp_path / "a.pt", ConditionalVAE(2, 32, 1.0), **options)
    assert torch.equal(again.encoder.layers[0].weight, trained.encoder.layers[0].weight)
    with pytest.raises(ValueError, match="delete it to train again"):
        train_cvae(images, tmp_path / "a.pt", ConditionalVAE(3, 32, 1.0), **options)


def test_a_run_and_its_continuation(tmp_path, capsys):
    out = tmp_path / "run"
    main([*TINY, "--out", str(out)])
    assert "joint bound of entangled/jmvae" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["models"]) == {f"{k}/{o}" for k in ("entangled", "mixed") for o in ("jmvae", "m2vae")}
    found = metrics["models"]["mixed/m2vae"]
    assert found["elbo"]["mean"] < found["log_likelihood"]["joint"]["mean"] < 0
    figures = {path.stem for path in (out / "figures").iterdir()}
    assert figures == {"pairs", "autoencoders"} | {f"latent-{n.replace('/', '-')}" for n in metrics["models"]}
    with pytest.raises(SystemExit):
        main([*TINY, "--out", str(out)])
    assert "go on with --resume" in capsys.readouterr().err
    before = (out / "mixed-jmvae" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    main([*TINY, "--out", str(out), "--resume", "--no-figures"])
    assert json.loads((out / "metrics.json").read_text())["models"] == metrics["models"]
    assert (out / "mixed-jmvae" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    opened = open_run(out / "mixed-jmvae", samples=9)
    assert [batch.size for batch in opened.batches] == [9]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "elbow"], "unknown name 'elbow'"),
        (["--guide", "poe"], "do not fit the guide 'poe'"),
        (["--test-samples", "3"], "expected at least 20, got 3"),
        (["--first", "nowhere"], "nowhere"),
    ],
)
def test_errors_take_one_line(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "--out", str(tmp_path), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
