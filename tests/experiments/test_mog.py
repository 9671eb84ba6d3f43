"""The mixture-of-Gaussians experiment: exact densities, a whole tiny run, going on, errors."""

from __future__ import annotations

import json
import math

import pytest
import torch

from pyro_mmvae.data.gaussian_mixture import MEANS, SCALE, log_prob, places, sample
from pyro_mmvae.experiments.common.opened import open_run
from pyro_mmvae.experiments.mog.cli import main

TINY = ["--samples", "200", "--test-samples", "40", "--num-samples", "50", "--epochs", "2", "--hidden", "8"]


def test_density_integrates_to_one():
    axis = torch.linspace(-2.5, 2.5, 401, dtype=torch.float64)
    density = log_prob(a=torch.cartesian_prod(axis, axis)).exp().reshape(401, 401)
    assert torch.trapezoid(torch.trapezoid(density, axis), axis).item() == pytest.approx(1, abs=1e-4)


def test_joint_density_is_that_of_the_draws():
    """The mean log density of draws is minus the entropy: for well separated classes, in closed form."""
    found = sample(20_000, seed=1)
    gaussian = 0.5 * math.log(2 * math.pi * math.e * SCALE**2)
    expected = -(math.log(len(MEANS)) + 4 * gaussian)
    assert log_prob(found.a, found.b).mean().item() == pytest.approx(expected, abs=0.03)
    assert (log_prob(found.a, found.b) - log_prob(found.a)).mean() > log_prob(found.b).mean()
    with pytest.raises(ValueError, match="got none"):
        log_prob()


def test_no_modality_tells_all_classes():
    pairs = places()[torch.tensor(MEANS)].flatten(1)
    assert len(torch.unique(pairs, dim=0)) == len(MEANS)
    for side in zip(*MEANS, strict=True):
        assert len(set(side)) < len(MEANS)


def test_a_run_and_its_continuation(tmp_path, capsys):
    out = tmp_path / "mog"
    main([*TINY, "--out", str(out)])
    printed = capsys.readouterr().out
    assert "m2vae: log p(a, b)" in printed
    assert "the density that the data are from" in printed
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["objectives"]) == {"jmvae", "telbo", "m2vae"}
    found = metrics["objectives"]["telbo"]["log_likelihood"]
    assert set(found) == {"a+b", "a", "b"}
    assert set(found["a+b"]) == {"joint"}
    assert set(found["a"]) == {"joint", "a"}
    for name in ("data", "latent"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000
    # What is finished is not trained again, and gives the same numbers.
    before = (out / "m2vae" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    main([*TINY, "--out", str(out), "--resume", "--no-figures"])
    again = json.loads((out / "metrics.json").read_text())
    assert again["objectives"] == metrics["objectives"]
    assert (out / "m2vae" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    opened = open_run(out / "jmvae", samples=7)
    assert [batch.size for batch in opened.batches] == [7]
    assert opened.experiment == "mog"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "elbow"], "unknown name 'elbow'"),
        (["--guide", "poe"], "do not fit the guide 'poe'"),
        (["--guide", "poe", "--guide-options", "--objectives", "mmvae"], "mixture"),
        (["--epochs", "0"], "--epochs: expected at least 1, got 0"),
    ],
)
def test_errors_take_one_line(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "--out", str(tmp_path), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_another_guide(tmp_path):
    arguments = ["--guide", "poe", "--guide-options", "--objectives", "mvae", "--no-figures"]
    main([*TINY, "--out", str(tmp_path), *arguments])
    assert set(json.loads((tmp_path / "metrics.json").read_text())["objectives"]) == {"mvae"}
