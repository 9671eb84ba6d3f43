"""Bounds from both sides, with chains that start from a Gaussian that is wrong on purpose."""

from __future__ import annotations

import pytest
import torch
from support import wrong_pair

from pyro_mmvae import guides
from pyro_mmvae.estimators import Annealing, bidirectional
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians

FEW = Annealing(num_temperatures=8, num_chains=6, leapfrog_steps=2)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("scale", [0.4, 2.5])
def test_the_exact_value_is_between_as_often_as_the_errors_say(count, scale):
    """In repeated runs the mean exact value is within bounds two standard errors wide each, nearly always."""
    truth = LinearGaussian({f"m{i}": 2 + i % 3 for i in range(count)}, latent_dim=2, seed=count)
    model, guide = wrong_pair(truth, scale=scale)
    inside, runs = 0, 12
    for seed in range(runs):
        sandwich = bidirectional(model, 60, guide=guide, start="guide", annealing=FEW, seed=seed)
        exact = truth.log_prob(sandwich.batch)
        below, above = sandwich.lower.value - exact, sandwich.upper - exact
        errors = [2 * side.std() / len(side) ** 0.5 for side in (below, above)]
        inside += int(below.mean() < errors[0] and above.mean() > -errors[1])
    assert inside >= runs - 2


def test_averaging_makes_the_upper_bound_tighter(truth):
    model, guide = wrong_pair(truth, scale=2.5)
    sandwich = bidirectional(model, 300, guide=guide, start="guide", annealing=FEW)
    exact = truth.log_prob(sandwich.batch).mean()
    assert exact - 0.03 < sandwich.upper.mean() < sandwich.inverse.mean()
    assert sandwich.lower.mean < exact + 0.03


def test_a_laplace_start_leaves_no_gap(truth):
    model, guide = wrong_pair(truth)
    sandwich = bidirectional(model, 10, guide=guide, annealing=FEW)
    torch.testing.assert_close(sandwich.gap, torch.zeros(10).double(), rtol=0, atol=1e-6)
    assert sandwich.summary()["gap_se"] < 1e-6
    assert "a gap of" in str(sandwich)
    assert "log p(a, b, c) of 10 simulated data points is between" in str(sandwich)


@pytest.mark.parametrize("start", ["guide", "refined", "laplace"])
def test_learned_priors(start):
    torch.manual_seed(1)
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=2, prior=MixtureOfGaussians(2, num_components=3))
    guide = guides.load("poe")(truth.modalities(), 2).double()
    sandwich = bidirectional(truth.model(), 60, guide=guide, start=start, annealing=Annealing(60, 16, 3))
    exact = truth.log_prob(sandwich.batch).mean()
    assert sandwich.lower.mean < exact + 0.03
    assert sandwich.upper.mean() > exact - 0.03
    if start != "guide":  # which is untrained
        assert sandwich.gap.mean() < 0.3


def test_one_point_and_some_modalities(truth):
    model, guide = wrong_pair(truth)
    sandwich = bidirectional(model, 1, guide=guide, of=["a"], given=["b"], annealing=FEW)
    assert sandwich.lower.of == ("a",)
    assert sandwich.lower.given == ("b",)
    torch.testing.assert_close(sandwich.upper, truth.log_prob(sandwich.batch, ["a"]))
