"""Paired comparisons of estimates."""

from __future__ import annotations

import math

import matplotlib.image
import pytest
import torch

from pyro_mmvae import guides
from pyro_mmvae.estimators import Estimate, compare, log_likelihood
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.plots import plot_compare


def estimate(value, error=0.1, available=None, of=("x",), khat=0.2):
    value = torch.as_tensor(value, dtype=torch.float64)
    available = torch.ones(len(value), dtype=torch.bool) if available is None else torch.tensor(available)
    full = torch.full_like(value, error)
    return Estimate(value, full, full * 0 + 50, full * 0 + khat, available, of, ("x",), 100)


def test_differences_are_paired():
    hard = torch.linspace(-100, 0, 50, dtype=torch.float64)
    wobble = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frame = compare({"worse": estimate(hard - 1 + 0.1 * wobble), "better": estimate(hard, error=0.2, khat=0.9)})
    assert list(frame.index) == ["better", "worse"]
    best, other = frame.loc["better"], frame.loc["worse"]
    assert (best["difference"], best["difference_se"], best["mc_se"]) == (0, 0, 0)
    assert best["khat_over_0.7"] == 1
    assert other["difference"] == pytest.approx(-1 + 0.1 * wobble.mean().item())
    assert other["difference_se"] == pytest.approx(0.1 * wobble.std().item() / math.sqrt(50))
    assert other["se"] > 50 * other["difference_se"]
    assert other["mc_se"] == pytest.approx(math.sqrt(0.1**2 + 0.2**2) / math.sqrt(50))


def test_only_points_that_all_have_are_compared():
    frame = compare(
        {
            "one": estimate([0.0, 1.0, math.nan], available=[True, True, False]),
            "two": estimate([5.0, 3.0, 9.0]),
        }
    )
    assert frame["n"].tolist() == [2, 2]
    assert frame.loc["two", "mean"] == 4
    assert frame.loc["one", "difference"] == -3.5


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match=r"'one' is .* on 2 points, 'two' .* on 3"):
        compare({"one": estimate([0.0, 1.0]), "two": estimate([0.0, 1.0, 2.0])})
    with pytest.raises(ValueError, match="one log-likelihood on the same data points"):
        compare({"one": estimate([0.0]), "two": estimate([0.0], of=("x", "y"))})
    with pytest.raises(ValueError, match="got none"):
        compare({})


def test_the_true_model_wins_by_the_true_difference():
    """Two linear-Gaussian models on data of the first: the mean difference is that of the exact log-likelihoods."""
    sizes = {"a": 3, "b": 2}
    true, false = LinearGaussian(sizes, seed=1), LinearGaussian(sizes, seed=2)
    batch, found = true.sample(300), {}
    for name, model in (("true", true), ("false", false)):
        guide = guides.load("poe")(model.modalities(), 2).double()
        model.set_exact_experts(guide)
        found[name] = log_likelihood(model.model(), guide, batch, num_samples=50)
    frame = compare(found)
    gap = false.log_prob(batch) - true.log_prob(batch)
    assert frame.index[0] == "true"
    assert frame.loc["false", "difference"] == pytest.approx(gap.mean().item(), abs=1e-6)
    assert frame.loc["false", "difference_se"] == pytest.approx((gap.std() / math.sqrt(300)).item(), abs=1e-6)


def test_figure(tmp_path):
    frame = compare({f"model {i}": estimate(torch.randn(40) - i, khat=0.2 + 0.2 * i) for i in range(4)})
    plot_compare(frame, tmp_path / "compare.png")
    image = matplotlib.image.imread(tmp_path / "compare.png")
    assert image.shape[0] > 200
    assert image[..., :3].std() > 0.05


def test_batches_of_estimates_compare_as_one():
    whole = estimate(torch.arange(6.0))
    joined = Estimate.cat([whole[:2], whole[2:]])
    assert compare({"a": joined, "b": whole}).loc["b", "difference"] == 0
