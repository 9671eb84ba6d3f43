"""Conditional log-likelihoods against the truth."""

from __future__ import annotations

import pytest
import torch
from support import data, every_subset, pair, with_pattern

from pyro_mmvae import Batch, guides
from pyro_mmvae.estimators import Estimate, compare, conditional_log_likelihood, log_likelihood


def exact_pair(truth):
    guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
    truth.set_exact_experts(guide)
    with torch.no_grad():
        for head in guide.heads.values():
            head.linear.bias[truth.latent_dim :] += 0.3
    return truth.model(), guide


@pytest.mark.parametrize("evidence", ["prior", "importance"])
def test_every_pair_of_subsets(truth, evidence):
    model, guide = exact_pair(truth)
    batch = with_pattern(truth.sample(12))
    for of in every_subset(truth.names)[1:]:
        for on in every_subset([n for n in truth.names if n not in of])[1:]:
            estimate = conditional_log_likelihood(
                model, guide, batch, of=of, on=on, evidence=evidence, num_samples=1000
            )
            exact = truth.log_prob(batch, [*of, *on]) - truth.log_prob(batch, on)
            there = estimate.available & (estimate.khat < 0.7)
            assert there.sum() > 0.3 * estimate.available.sum()
            gap = (estimate.value - exact).abs()[there]
            assert (gap < 5 * estimate.standard_error[there] + 1e-9).all()


def test_parts_are_put_together(truth):
    model, guide = exact_pair(truth)
    batch = truth.sample(6)
    estimate = conditional_log_likelihood(
        model, guide, batch, of=["a"], on=["b"], given=["a", "c"], num_samples=100, seed=4
    )
    joint = log_likelihood(model, guide, batch, of=["a", "b"], given=["a", "c"], num_samples=100, seed=4)
    below = log_likelihood(model, guide, batch, of=["b"], given=["b"], num_samples=100, seed=5)
    torch.testing.assert_close(estimate.value, joint.value - below.value)
    torch.testing.assert_close(estimate.standard_error**2, joint.standard_error**2 + below.standard_error**2)
    assert (estimate.ess == torch.minimum(joint.ess, below.ess)).all()
    assert estimate.of == ("a",)


def test_where_the_condition_is_missing_it_is_the_marginal(truth):
    model, guide = exact_pair(truth)
    half = torch.tensor([True, False] * 3)
    batch = Batch.of(truth.sample(6).data, {"b": half})
    estimate = conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], num_samples=500)
    joint = log_likelihood(model, guide, batch, of=["a", "b"], num_samples=500)
    torch.testing.assert_close(estimate.value[~half], joint.value[~half])
    assert not torch.isclose(estimate.value[half], joint.value[half]).any()


def test_where_nothing_is_to_be_predicted(truth):
    model, guide = exact_pair(truth)
    half = torch.tensor([True, False] * 3)
    batch = Batch.of(truth.sample(6).data, {"a": half})
    estimate = conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], num_samples=50)
    assert torch.equal(estimate.available, half)
    assert estimate.value[~half].isnan().all()


def test_a_condition_without_an_encoder_has_the_prior_as_proposal():
    model, guide = pair("poe")
    estimate = conditional_log_likelihood(model, guide, Batch.of(data()), of=["a"], on=["y"], num_samples=100)
    assert torch.isfinite(estimate.value).all()


def test_errors():
    model, guide = pair("poe")
    batch = Batch.of(data())
    with pytest.raises(ValueError, match=r"both have \['a'\]"):
        conditional_log_likelihood(model, guide, batch, of=["a", "b"], on=["a"])
    with pytest.raises(ValueError, match="expected 'prior' or 'importance'"):
        conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], evidence="bayes")
    with pytest.raises(ValueError, match="belongs to evidence='importance'"):
        conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], evidence="prior", given_evidence=["b"])


def test_a_conditional_is_no_marginal(truth):
    """Not in print, nor where estimates are joined or compared."""
    model, guide = exact_pair(truth)
    batch = truth.sample(6)
    marginal = log_likelihood(model, guide, batch, of=["a"], num_samples=30)
    conditional = conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], num_samples=30)
    assert str(conditional).startswith("log p(a | b) = ")
    assert str(marginal).startswith("log p(a) = ")
    with pytest.raises(ValueError, match=r"expected estimates of log p\(a \| b\) .* got one of log p\(a\) "):
        Estimate.cat([conditional, marginal])
    with pytest.raises(ValueError, match=r"log p\(a \| b\) on 6 points, 'other' log p\(a\) on 6"):
        compare({"one": conditional, "other": marginal})


def test_evidence_from_the_prior_stays_so(truth):
    """Refined draws would not be from the prior."""
    model, guide = exact_pair(truth)
    batch, common = truth.sample(6), {"num_samples": 200, "seed": 3}
    refined = conditional_log_likelihood(
        model, guide, batch, of=["a"], on=["b"], evidence="prior", refine=5, defensive=0.2, **common
    )
    joint = log_likelihood(model, guide, batch, of=["a", "b"], refine=5, defensive=0.2, **common)
    evidence = log_likelihood(model, guide, batch, of=["b"], given=[], num_samples=200, seed=4)
    torch.testing.assert_close(refined.value, joint.value - evidence.value)
