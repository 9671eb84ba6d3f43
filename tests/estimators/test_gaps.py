"""The split of the inference gap against models whose posteriors are known."""

from __future__ import annotations

import math

import pyro.distributions as dist
import pytest
import torch
from support import pair, with_pattern, wrong_pair
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import Annealing, gaps_table, inference_gaps
from pyro_mmvae.likelihoods import Normal, Pointcloud

FEW = Annealing(4, 4, 2)


def test_an_exact_guide_loses_nothing(truth):
    guide = guides.load("poe")(truth.modalities(), 2).double()
    truth.set_exact_experts(guide)
    found = inference_gaps(truth.model(), guide, truth.sample(20), annealing=FEW)
    assert list(found) == [("a",), ("b",), ("c",), ("a", "b", "c")]
    for subset, gap in found.items():
        torch.testing.assert_close(gap.log_likelihood.value, truth.log_prob(truth.sample(20), subset))
        for part in (gap.total, gap.amortisation, gap.approximation):
            assert part.abs().mean() < 0.02


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_wrong_scale_is_amortisation(truth, scale):
    """KL between the Gaussians, in closed form, is all amortisation; nothing is approximation."""
    model, guide = wrong_pair(truth, shift=0.5, scale=scale)
    batch = truth.sample(30)
    (gap,) = inference_gaps(model, guide, batch, given=[("a", "b")], annealing=FEW, num_samples=4000).values()
    exact = dist.Normal(*truth.posterior(batch.given(("a", "b")))).to_event(1)
    with torch.no_grad():
        own = guide.posterior(batch.given(("a", "b")))
    kl = torch.distributions.kl_divergence(own, exact)
    torch.testing.assert_close(gap.amortisation.mean(), kl.mean(), rtol=0.03, atol=0)
    torch.testing.assert_close(gap.total.mean(), kl.mean(), rtol=0.03, atol=0)
    assert gap.approximation.abs().mean() < 0.01


def correlated():
    """Return a model whose posterior is a correlated Gaussian, a guide, and the exact loss of a diagonal Gaussian."""
    torch.manual_seed(0)
    decoder = nn.Linear(3, 4).double()
    parts = [Modality("x", Normal((4,), scale=0.5), decoder, nn.Linear(4, 5))]
    model, guide = MultimodalVAE(parts, 3).double(), guides.load("poe")(parts, 3).double()
    with torch.no_grad():
        decoder.weight.copy_(torch.tensor([[1.5, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]))
    precision = torch.eye(3).double() + decoder.weight.detach().T @ decoder.weight.detach() / 0.25
    loss = 0.5 * (precision.diagonal().log().sum() - precision.logdet())
    covariance = decoder.weight.detach() @ decoder.weight.detach().T + 0.25 * torch.eye(4).double()
    marginal = torch.distributions.MultivariateNormal(decoder.bias.detach(), covariance)
    return model, guide, loss, marginal


def test_what_a_diagonal_gaussian_cannot_do_is_approximation():
    """The best mean-field Gaussian of a correlated one is known: the diagonal of its precision."""
    model, guide, loss, marginal = correlated()
    assert loss > 0.3
    batch = Batch.of({"x": marginal.sample((40,))})
    (gap,) = inference_gaps(model, guide, batch, annealing=FEW, num_samples=2000).values()
    torch.testing.assert_close(gap.log_likelihood.value, marginal.log_prob(batch.data["x"]))
    torch.testing.assert_close(gap.approximation.mean(), loss, rtol=0.05, atol=0)
    assert gap.amortisation.mean() > 0.5  # the guide is untrained


def test_missing_values(truth):
    model, guide = wrong_pair(truth)
    batch = with_pattern(truth.sample(12))
    found = inference_gaps(model, guide, batch, annealing=FEW)
    for subset, gap in found.items():
        there = torch.stack([batch.observed[n] for n in subset]).any(0)
        assert gap.total.isnan().equal(~there)
        assert gap.summary()["n"] == there.sum()
    table = gaps_table(found)
    assert list(table.index) == ["a", "b", "c", "a+b+c"]
    assert (table["gap"] - table["amortisation"] - table["approximation"]).abs().max() < 1e-9


@pytest.mark.parametrize("name", ["moe", "mopoe"])
def test_mixtures(truth, name):
    model, guide = wrong_pair(truth, name)
    for gap in inference_gaps(model, guide, truth.sample(8), annealing=FEW).values():
        assert (gap.total > -0.1).all()
        assert gap.approximation.mean().abs() < 0.03


def test_same_seed_same_numbers_whatever_the_chunks(truth):
    model, guide = wrong_pair(truth)
    batch = truth.sample(7)
    whole, parts = (
        inference_gaps(model, guide, batch, given=[("a",)], annealing=FEW, chunk_rows=rows)["a",] for rows in (1000, 4)
    )
    torch.testing.assert_close(whole.elbo, parts.elbo)
    torch.testing.assert_close(whole.refined, parts.refined)


def test_errors():
    model, guide = pair("poe")
    with pytest.raises(ValueError, match="does not encode"):
        inference_gaps(model, guide, Batch.of({"y": torch.randn(3, 2)}), given=[("y",)])
    with pytest.raises(ValueError, match="num_samples"):
        inference_gaps(model, guide, Batch.of({"a": torch.randn(3, 3)}), num_samples=0)
    with pytest.raises(ValueError, match="has a density"):
        inference_gaps(model, guide, Batch.of({"y": torch.randn(3, 2)}))
    decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3)))
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    parts = [Modality("h", Pointcloud(4, density="energy"), decoder, encoder)]
    with pytest.raises(IncompatibleError, match="are energies"):
        inference_gaps(
            MultimodalVAE(parts, 2),
            guides.load("poe")(parts, 2),
            Batch.of({"h": torch.randn(3, 4, 3)}),
            given=[("h",)],
        )


def test_one_point_has_no_error(truth):
    model, guide = wrong_pair(truth)
    (gap,) = inference_gaps(model, guide, truth.sample(1), given=[("a",)], annealing=FEW).values()
    assert math.isnan(gap.summary()["gap_se"])
