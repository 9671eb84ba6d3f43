"""Annealed importance sampling and bidirectional Monte Carlo against the linear-Gaussian truth."""

from __future__ import annotations

import pytest
import torch
from support import with_pattern
from torch import nn

from pyro_mmvae import IncompatibleError, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import Annealing, annealed_log_likelihood, bidirectional, log_likelihood
from pyro_mmvae.likelihoods import Bernoulli, Pointcloud

QUICK = Annealing(num_temperatures=60, num_chains=40, leapfrog_steps=5)


def test_the_truth_lies_between_the_bounds(truth):
    model = truth.model()
    sandwich = bidirectional(model, 30, annealing=QUICK)
    exact = truth.log_prob(sandwich.batch)
    assert sandwich.lower.value.mean() < exact.mean() + 0.02
    assert sandwich.upper.mean() > exact.mean() - 0.02
    assert ((sandwich.lower.value - exact).abs() < 6 * sandwich.lower.standard_error).all()
    assert sandwich.gap.mean() < 0.2


def test_more_temperatures_close_the_gap(truth):
    model = truth.model()
    coarse, fine = (
        bidirectional(model, 20, of=("a", "b"), annealing=Annealing(steps, 10, 5)).gap.mean() for steps in (4, 80)
    )
    assert fine < 0.5 * coarse
    assert coarse > 0


def test_both_ends_are_unbiased_on_their_own_scale(truth):
    """E w = p(x) forward, and E w = 1 / p(x) in reverse, even with few temperatures."""
    model = truth.model()
    sandwich = bidirectional(model, 400, annealing=Annealing(num_temperatures=20, num_chains=40, leapfrog_steps=4))
    exact = truth.log_prob(sandwich.batch)
    for ratio in ((sandwich.lower.value - exact).exp(), (exact - sandwich.upper).exp()):
        error = ratio.std() / len(ratio) ** 0.5
        assert abs(ratio.mean() - 1) < 5 * error
        assert error < 0.2


def test_missing_modalities_and_subsets(truth):
    model, batch = truth.model(), with_pattern(truth.sample(12))
    estimate = annealed_log_likelihood(model, batch, of=("a", "c"), annealing=QUICK)
    exact = truth.log_prob(batch, ("a", "c"))
    there = estimate.available
    assert ((estimate.value - exact).abs()[there] < 6 * estimate.standard_error[there]).all()


def test_importance_sampling_lies_below_the_upper_bound():
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 30))
    parts = [Modality("x", Bernoulli((30,)), decoder, nn.Linear(30, 8))]
    model, guide = MultimodalVAE(parts, 2), guides.load("poe")(parts, 2)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter *= 3
    sandwich = bidirectional(model, 20, annealing=QUICK)
    estimate = log_likelihood(model, guide, sandwich.batch, num_samples=3000, defensive=0.5)
    assert estimate.mean < sandwich.upper.mean() + 0.02
    assert abs(estimate.mean - sandwich.lower.mean) < 0.15


def test_same_seed_same_numbers_and_nothing_is_left_behind(truth):
    model = truth.model()
    before = torch.get_rng_state()
    first, again = (bidirectional(model, 3, annealing=Annealing(5, 2, 2), seed=4) for _ in range(2))
    assert torch.equal(first.upper, again.upper)
    assert torch.equal(first.lower.value, again.lower.value)
    assert torch.equal(before, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_errors(truth):
    with pytest.raises(ValueError, match="num_points: expected at least 1, got 0"):
        bidirectional(truth.model(), 0)
    with pytest.raises(ValueError, match="acceptance rate"):
        Annealing(acceptance=1.5)
    decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3)))
    model = MultimodalVAE([Modality("h", Pointcloud(4, density="energy"), decoder)], 2)
    with pytest.raises(IncompatibleError, match="are energies"):
        bidirectional(model, 3)
