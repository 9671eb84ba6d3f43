"""What ArviZ gets, and that it works there."""

from __future__ import annotations

import arviz
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from support import LATENT, data, modalities, pair
from torch import nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import to_inference_data
from pyro_mmvae.likelihoods import Pointcloud

HALF = torch.tensor([True, False] * 3)


@pytest.mark.parametrize("name", guides.available())
def test_groups_and_shapes(name):
    model, guide = pair(name)
    found = to_inference_data(model, guide, Batch.of(data(), {"y": HALF}), num_samples=30)
    assert dict(found.posterior["z"].sizes) == {"chain": 1, "draw": 30, "sample": 6, "latent": LATENT}
    assert found.posterior_predictive["b"].shape == (1, 30, 6, 2)
    assert found.log_likelihood["y"].shape == (1, 30, 6)
    missing = np.isnan(found.log_likelihood["y"].values).all((0, 1))
    assert missing.tolist() == (~HALF).tolist()
    assert np.isnan(found.observed_data["y"].values[1]).all()


def test_draws_are_the_posteriors_and_scores_are_the_likelihoods(truth):
    guide = guides.load("poe")(truth.modalities(), 2).double()
    truth.set_exact_experts(guide)
    model, batch = truth.model(), truth.sample(4)
    found = to_inference_data(model, guide, batch, num_samples=4000, given=("a", "b"))
    loc, scale = truth.posterior(batch.given(["a", "b"]))
    z = torch.from_numpy(found.posterior["z"].values[0])
    torch.testing.assert_close(z.mean(0), loc, atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), scale, atol=0.05, rtol=0)
    score = model.decode(z, "c").log_prob(batch.data["c"])
    torch.testing.assert_close(torch.from_numpy(found.log_likelihood["c"].values[0]), score)


def test_resampling_corrects_the_guide(truth):
    """A guide that is too wide: the resampled draws have the spread of the exact posterior."""
    guide = guides.load("poe")(truth.modalities(), 2).double()
    truth.set_exact_experts(guide)
    with torch.no_grad():
        for head in guide.heads.values():
            head.linear.bias[2:] += 1.0
    batch = truth.sample(4)
    _, scale = truth.posterior(batch)
    spread = [
        torch.from_numpy(
            to_inference_data(truth.model(), guide, batch, num_samples=2000, resample=r).posterior["z"].values[0]
        ).std(0)
        for r in (False, True)
    ]
    assert (spread[0] > 1.3 * scale).all()
    torch.testing.assert_close(spread[1], scale, atol=0.02, rtol=0)


def test_arviz_takes_it():
    model, guide = pair("mopoe")
    found = to_inference_data(model, guide, Batch.of(data()), num_samples=100)
    assert len(arviz.summary(found, var_names=["z"], coords={"sample": [0]})) == LATENT
    loo = arviz.loo(found, var_name="a")
    assert np.isfinite(loo.elpd if hasattr(loo, "elpd") else loo.elpd_loo)  # 1.x and 0.x
    if hasattr(arviz, "plot_posterior"):
        assert arviz.plot_posterior(found, var_names=["z"], coords={"sample": [0]}) is not None
    else:  # 1.x
        assert arviz.plot_dist(found, var_names=["z"], coords={"sample": [0]}, backend="matplotlib") is not None
    pyplot.close("all")  # of ArviZ's figures; other tests look for figures that are left open


def test_energies_have_no_density_and_no_draws():
    decoder = nn.Sequential(nn.Linear(LATENT, 12), nn.Unflatten(1, (4, 3)))
    parts = [*modalities(), Modality("cloud", Pointcloud(4, density="energy"), decoder)]
    model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
    batch = Batch.of({**data(), "cloud": torch.randn(6, 4, 3)})
    found = to_inference_data(model, guide, batch, num_samples=5)
    assert "cloud" not in found.log_likelihood
    assert "cloud" not in found.posterior_predictive
    assert "cloud" in found.observed_data


def test_seed_and_errors():
    model, guide = pair("poe")
    batch = Batch.of(data())
    one, two = (to_inference_data(model, guide, batch, num_samples=3, seed=1).posterior["z"].values for _ in range(2))
    assert (one == two).all()
    with pytest.raises(ValueError, match="does not encode"):
        to_inference_data(model, guide, batch, given=("y",))
    with pytest.raises(ValueError, match="num_samples: expected at least 1"):
        to_inference_data(model, guide, batch, num_samples=0)
