"""The mixture of Gaussians: its exact densities, and what its modalities tell."""

from __future__ import annotations

import math

import pytest
import torch

from pyro_mmvae.data.gaussian_mixture import MEANS, SCALE, log_prob, places, sample


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
