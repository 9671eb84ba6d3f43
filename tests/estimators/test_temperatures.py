"""How many temperatures, and where."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import wrong_pair

from pyro_mmvae.estimators import Annealing, annealed_log_likelihood
from pyro_mmvae.estimators.temperatures import enough, fixed, interpolated, placed
from pyro_mmvae.linear_gaussian import LinearGaussian

CPU = torch.device("cpu")


@pytest.mark.parametrize("schedule", ["linear", "sigmoid"])
def test_fixed_schedules_go_from_zero_to_one(schedule):
    grid = fixed(schedule, 10, 3, CPU)
    assert grid.shape == (11, 3)
    assert (grid[0] == 0).all()
    assert (grid[-1] == 1).all()
    assert (grid.diff(dim=0) > 0).all()


def test_equal_spreads_are_linear():
    grid = fixed("linear", 8, 2, CPU)
    torch.testing.assert_close(placed(grid, torch.ones(9, 2), 5), fixed("linear", 5, 2, CPU))


@given(st.lists(st.floats(0, 100), min_size=5, max_size=5), st.integers(1, 20))
def test_temperatures_rise(spread, steps):
    found = placed(fixed("linear", 4, 1, CPU), torch.tensor(spread).unsqueeze(-1), steps)
    assert found[0] == 0
    assert found[-1] == 1
    assert (found.diff(dim=0) >= 0).all()


def test_more_temperatures_where_weights_spread():
    spread = torch.tensor([10.0, 10.0, 1.0, 1.0, 1.0]).unsqueeze(-1)
    found = placed(fixed("linear", 4, 1, CPU), spread, 20)
    assert (found < 0.5).sum() > 2 * (found > 0.5).sum()


def test_interpolation():
    known = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    found = interpolated(torch.tensor([[0.5, 0.5], [1.0, 1.0]]), known, torch.tensor([[0.0, 4.0], [10.0, 8.0]]))
    torch.testing.assert_close(found, torch.tensor([[5.0, 5.0], [10.0, 6.0]]))


def test_enough():
    weights = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) * 2
    assert enough(weights, 10, math.exp(-1), 1000) == pytest.approx(40, abs=3)  # variance 4 in ten steps, 1 in forty
    assert enough(weights, 10, math.exp(-1), 20) == 20
    assert enough(weights * torch.nan, 10, 0.5, 70) == 70
    assert enough(weights * 0, 10, 0.5, 70) == 4


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_effective_share_is_about_what_is_asked_for(share):
    truth = LinearGaussian({"a": 12, "b": 14}, latent_dim=10, seed=1)
    model, guide = wrong_pair(truth, scale=2.5)
    settings = Annealing(num_chains=200, leapfrog_steps=3, effective_share=share)
    found = annealed_log_likelihood(model, truth.sample(40), guide=guide, start="guide", annealing=settings)
    assert found.ess.mean() / 200 == pytest.approx(share, abs=0.15)
