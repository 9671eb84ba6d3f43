"""Simulation-based calibration: exact guides pass, wrong ones do not."""

from __future__ import annotations

import pytest
import torch
from support import pair, wrong_pair
from torch import nn

from pyro_mmvae import IncompatibleError, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import calibration
from pyro_mmvae.likelihoods import Normal, Pointcloud
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians


@pytest.mark.parametrize("given", [None, ("a",), ("b", "c")])
def test_an_exact_guide_is_uniform(truth, given):
    model, guide = wrong_pair(truth, shift=0, scale=1)
    found = calibration(model, guide, 2000, given=given)
    s = found.summary()
    assert found.ranks.shape == (2000, 2)
    assert found.ranks.min() >= 0
    assert found.ranks.max() <= 99
    assert found.given == (given or ("a", "b", "c"))
    assert s["p_value"] > 1e-3
    assert s["p_value_joint"] > 1e-3
    assert s["width"] == pytest.approx(1, abs=0.05)
    assert s["shift"] < 0.03


def test_p_values_are_uniform_in_repeated_runs(truth):
    model, guide = wrong_pair(truth, shift=0, scale=1)
    found = torch.tensor([calibration(model, guide, 400, seed=s).p_values()[0] for s in range(60)])
    assert 0.35 < found.mean() < 0.65
    assert (found < 0.1).sum() < 15


@pytest.mark.parametrize(("scale", "narrow"), [(0.6, True), (1.6, False)])
def test_a_wrong_scale_is_found(truth, scale, narrow):
    model, guide = wrong_pair(truth, shift=0, scale=scale)
    found = calibration(model, guide, 1000)
    s = found.summary()
    assert s["p_value"] < 1e-6
    assert (s["width"] > 1.1) == narrow
    assert (s["width"] < 0.9) != narrow
    counts = found.histogram()
    assert counts.sum() == 2000
    edges, middle = counts[:, [0, -1]].mean(), counts[:, 9:11].mean()
    assert (edges > 1.5 * middle) == narrow


def test_a_shift_is_found(truth):
    model, guide = wrong_pair(truth, shift=2, scale=1)
    s = calibration(model, guide, 500).summary()
    assert s["shift"] > 0.05
    assert s["p_value"] < 1e-6
    assert "500 simulated data" in str(calibration(model, guide, 500))


def test_a_lack_of_correlation_is_found_by_the_joint_alone():
    """Marginals that are exact on average, and no correlation: only log p(x, z) tells."""
    torch.manual_seed(0)
    decoder = nn.Linear(2, 1, bias=False)
    parts = [Modality("x", Normal((1,), scale=0.1), decoder, nn.Identity(), 1)]
    model, guide = MultimodalVAE(parts, 2), guides.load("poe")(parts, 2)
    with torch.no_grad():
        decoder.weight.fill_(1.0)
    covariance = torch.linalg.inv(torch.eye(2) + 100 * torch.ones(2, 2))

    def posterior(batch):
        mean = 100 * batch.data["x"] * covariance.sum(0)
        return torch.distributions.Independent(torch.distributions.Normal(mean, covariance.diagonal().sqrt()), 1)

    guide.posterior = posterior
    s = calibration(model, guide, 1000).summary()
    assert s["p_value"] > 1e-3
    assert s["p_value_joint"] < 1e-6


def test_learned_priors():
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=2, prior=MixtureOfGaussians(2, num_components=3))
    guide = guides.load("poe")(truth.modalities(), 2).double()
    assert calibration(truth.model(), guide, 300).summary()["p_value"] < 1e-3  # untrained


def test_same_seed_same_ranks_whatever_the_chunks(truth):
    model, guide = wrong_pair(truth)
    state = torch.get_rng_state()
    whole, parts = (calibration(model, guide, 30, chunk_rows=rows) for rows in (1000, 7))
    assert torch.equal(whole.ranks, parts.ranks)
    assert torch.equal(whole.joint, parts.joint)
    assert torch.equal(state, torch.get_rng_state())


def test_errors():
    model, guide = pair("poe")
    with pytest.raises(ValueError, match="does not encode"):
        calibration(model, guide, 3, given=["y"])
    with pytest.raises(ValueError, match="num_points"):
        calibration(model, guide, 0)
    with pytest.raises(ValueError, match="expected one or more"):
        calibration(model, guide, 3, given=[])
    decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3)))
    parts = [Modality("h", Pointcloud(4, density="energy"), decoder, nn.Sequential(nn.Flatten(), nn.Linear(12, 5)))]
    with pytest.raises(IncompatibleError, match="are energies"):
        calibration(MultimodalVAE(parts, 2), guides.load("poe")(parts, 2), 3, given=["h"])
