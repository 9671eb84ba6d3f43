"""Fusion rules against their formulas, written out by hand."""

from __future__ import annotations

import math
from itertools import combinations

import pyro
import pyro.distributions as dist
import pytest
import torch
from support import LATENT, data, modalities, pair, with_pattern
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributions import Normal

from pyro_mmvae import Batch, IncompatibleError, Modality, guides
from pyro_mmvae.distributions.mixture import densest_mean
from pyro_mmvae.guide import Experts


def batch_and_mask(guide):
    batch = with_pattern(Batch.of(data()))
    return batch, guide.observed(batch)


def product(experts, b, subset, prior):
    """Return the product of some experts of one sample, with the prior as one more."""
    precision = sum(experts.scale[b, m] ** -2 for m in subset) + float(prior)
    return Normal(sum(experts.loc[b, m] * experts.scale[b, m] ** -2 for m in subset) / precision, precision**-0.5)


class TestPriorExpert:
    @pytest.mark.parametrize("prior_expert", ["always", "joint", "never"])
    def test_poe_counts_what_is_observed_sample_by_sample(self, prior_expert):
        _, guide = pair("poe", prior_expert=prior_expert)
        rows = torch.arange(8)
        batch = Batch.of(data(size=8), {n: rows // 2**i % 2 == 1 for i, n in enumerate("abc")})
        observed, experts = guide.observed(batch), guide.experts(guide.features(batch))
        posterior = guide.posterior(batch)
        for b in range(1, 8):
            there = [m for m in range(3) if observed[b, m]]
            prior = {"always": True, "joint": len(there) > 1, "never": False}[prior_expert]
            expected = product(experts, b, there, prior)
            torch.testing.assert_close(posterior.mean[b], expected.mean)
            torch.testing.assert_close(posterior.stddev[b], expected.stddev)
        torch.testing.assert_close(posterior.mean[0], torch.zeros(LATENT), rtol=0, atol=0)
        torch.testing.assert_close(posterior.stddev[0], torch.ones(LATENT), rtol=0, atol=0)

    def test_joint_rows_and_missing_values_are_one_mask(self):
        """A pair of which a sample has one member alone is a single for that sample."""
        _, guide = pair("poe", prior_expert="joint")
        batch = Batch.of(data(), {"b": torch.tensor([True, False] * 3)})
        rows = {n: torch.tensor([[n in s] for s in ("a", "ab", "abc")]) for n in "abc"}
        found = guide.posterior(batch.seen(rows))
        lone = guide.posterior(batch.given(["a"]))
        torch.testing.assert_close(found.mean[1, 1::2], lone.mean[1::2])
        torch.testing.assert_close(found.stddev[1, 1::2], lone.stddev[1::2])
        always = pair("poe")[1]
        always.load_state_dict(guide.state_dict())
        torch.testing.assert_close(found.mean[1, ::2], always.posterior(batch.given(["a", "b"])).mean[::2])
        torch.testing.assert_close(found.stddev[2], always.posterior(batch).stddev)

    @pytest.mark.parametrize("name", ["poe", "mopoe"])
    @pytest.mark.parametrize("value", [True, False, "sometimes"])
    def test_the_choices_are_named(self, name, value):
        with pytest.raises(ValueError, match=f"expected 'always', 'joint' or 'never', got {value!r}"):
            pair(name, prior_expert=value)


class TestMoPoE:
    @pytest.mark.parametrize("prior_expert", ["always", "joint", "never"])
    def test_density_is_the_mixture_over_subsets_of_what_is_observed(self, prior_expert):
        _, guide = pair("mopoe", prior_expert=prior_expert)
        batch, observed = batch_and_mask(guide)
        experts = guide.experts(guide.features(batch))
        z = torch.randn(6, LATENT)
        for b in range(6):
            there = [m for m in range(3) if observed[b, m]]
            densities = []
            for subset in [s for size in range(1, len(there) + 1) for s in combinations(there, size)]:
                prior = {"always": True, "joint": len(subset) == 3, "never": False}[prior_expert]
                densities.append(product(experts, b, subset, prior).log_prob(z[b]).sum())
            expected = torch.stack(densities).logsumexp(0) - math.log(len(densities))
            torch.testing.assert_close(guide.posterior(batch).log_prob(z)[b], expected)

    def test_component_is_the_product_of_all_that_is_observed(self, truth):
        guide = guides.load("mopoe")(truth.modalities(), truth.latent_dim).double()
        truth.set_exact_experts(guide)
        batch = with_pattern(truth.sample(8))
        loc, scale = truth.posterior(batch)
        torch.testing.assert_close(guide.component(batch).mean, loc)
        torch.testing.assert_close(guide.component(batch).stddev, scale)

    @pytest.mark.parametrize("prior_expert", ["always", "joint", "never"])
    def test_component_is_a_member_of_the_mixture(self, prior_expert):
        _, guide = pair("mopoe", prior_expert=prior_expert)
        batch, observed = batch_and_mask(guide)
        members = guide.posterior(batch).component_distribution
        place = (guide.members == observed.unsqueeze(-2)).all(-1).int().argmax(-1)
        for part in ("mean", "stddev"):
            expected = getattr(members, part)[torch.arange(6), place]
            torch.testing.assert_close(getattr(guide.component(batch), part), expected)

    def test_one_input_is_single_whatever_it_is_the_whole_of(self):
        parts = modalities(("b",))
        guide = guides.load("mopoe")(parts, LATENT, prior_expert="joint")
        batch = Batch.of({"b": data()["b"]})
        experts = guide.experts(guide.features(batch))
        torch.testing.assert_close(guide.component(batch).mean, experts.loc[:, 0])

    def test_a_plain_mixture_has_no_component_for_a_subset(self):
        _, guide = pair("moe")
        with pytest.raises(IncompatibleError, match="no component for a whole subset"):
            guide.component(Batch.of(data()))

    def test_precisions_beyond_half_precision(self, monkeypatch):
        """Autocast keeps scales in float32 on accelerators, but would halve their products in a matrix product."""
        _, guide = pair("mopoe")
        sharp = Experts(torch.randn(6, 3, LATENT), torch.full((6, 3, LATENT), 1e-3))
        monkeypatch.setattr(guide, "experts", lambda features: sharp)
        batch = with_pattern(Batch.of(data()))
        full = guide.posterior(batch).component_distribution
        with torch.autocast("cpu", torch.float16):
            half = guide.posterior(batch).component_distribution
        torch.testing.assert_close(half.mean, full.mean)
        torch.testing.assert_close(half.stddev, full.stddev)

    def test_too_many_inputs(self):
        parts = [Modality(f"m{i}", encoder=nn.Linear(2, 2)) for i in range(9)]
        with pytest.raises(ValueError, match="9 inputs would need 511 components; use the guide `poe`"):
            guides.load("mopoe")(parts, 2)


class TestPoint:
    def test_of_two_experts_that_disagree_the_sharper_one(self, monkeypatch):
        """The mean of the mixture lies between them, where it has no mass."""
        _, guide = pair("moe")
        loc = torch.tensor([[-4.0, 4.0, 0.0]]).unsqueeze(-1).expand(2, 3, LATENT)
        scale = torch.tensor([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1]]).unsqueeze(-1).expand(2, 3, LATENT)
        monkeypatch.setattr(guide, "experts", lambda features: Experts(loc, scale))
        batch = Batch.of(data(size=2), {"c": torch.zeros(2, dtype=torch.bool)})  # the sharpest is not observed
        torch.testing.assert_close(guide.point(batch), torch.tensor([[4.0] * LATENT, [-4.0] * LATENT]))
        torch.testing.assert_close(guide.posterior(batch).mean, torch.zeros(2, LATENT))

    def test_densest_mean_by_brute_force(self):
        weight, loc, scale = torch.randn(5, 4), torch.randn(5, 4, 3), torch.rand(5, 4, 3) + 0.5
        mixture = dist.MixtureSameFamily(dist.Categorical(logits=weight), dist.Normal(loc, scale).to_event(1))
        found = densest_mean(mixture)
        for b in range(5):
            density = [
                (weight[b].softmax(0) * Normal(loc[b], scale[b]).log_prob(m).sum(-1).exp()).sum() for m in loc[b]
            ]
            torch.testing.assert_close(found[b], loc[b, int(torch.stack(density).argmax())])

    def test_mopoe_decodes_the_most_informed_component(self):
        _, guide = pair("mopoe")
        batch, _ = batch_and_mask(guide)
        torch.testing.assert_close(guide.point(batch), guide.component(batch).mean)


class TestAttention:
    @pytest.mark.parametrize("heads", [1, 2])
    def test_moments_are_averaged_by_attention(self, heads):
        _, guide = pair("attention", heads=heads)
        with torch.no_grad():
            guide.stand_in.normal_()
        batch, observed = batch_and_mask(guide)
        experts = guide.experts(guide.features(batch))
        keys = guide.keys(experts.loc)
        posterior, width = guide.posterior(batch), LATENT // heads
        for b in range(6):
            there = [m for m in range(3) if observed[b, m]]
            query = guide.queries(experts.loc[b, 0]) if observed[b, 0] else guide.stand_in
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                alpha = torch.stack([query[part] @ keys[b, m, part] / math.sqrt(width) for m in there]).softmax(0)
                loc = sum(a * experts.loc[b, m, part] for a, m in zip(alpha, there, strict=True))
                variance = sum(a * experts.scale[b, m, part] ** 2 for a, m in zip(alpha, there, strict=True))
                torch.testing.assert_close(posterior.mean[b, part], loc)
                torch.testing.assert_close(posterior.variance[b, part], variance)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"primary 'd' has no encoder; choose one of \['a', 'b', 'c'\]"):
            pair("attention", primary="d")
        with pytest.raises(ValueError, match="expected a divisor of latent_dim = 2, got 3"):
            pair("attention", heads=3)


class TestSet:
    def test_equation_8(self):
        """H = I + MultiHead(I, X_S, X_S), g = H + f(H), with PyTorch's own attention over the observed embeddings."""
        _, guide = pair("set", width=8, heads=2)
        reference = nn.MultiheadAttention(8, 2, batch_first=True)
        with torch.no_grad():
            reference.in_proj_weight.copy_(torch.cat([guide.queries.weight, guide.keys.weight, guide.values.weight]))
            reference.in_proj_bias.copy_(torch.cat([guide.queries.bias, guide.keys.bias, guide.values.bias]))
            reference.out_proj.load_state_dict(guide.merge.state_dict())
        batch, observed = batch_and_mask(guide)
        features = guide.features(batch)
        embedded = torch.stack([guide.embeddings[n](f) for n, f in zip(guide.inputs, features, strict=True)], 1)
        for b in range(6):
            there = embedded[b : b + 1, observed[b]]
            hidden = guide.query + reference(guide.query.expand(1, 1, -1), there, there)[0][0, 0]
            loc, scale = guide.moments(hidden + guide.connected(hidden))
            torch.testing.assert_close(guide.posterior(batch).mean[b], loc)
            torch.testing.assert_close(guide.posterior(batch).stddev[b], scale)

    def test_errors(self):
        with pytest.raises(ValueError, match="expected a divisor of width = 10, got 3"):
            pair("set", width=10, heads=3)


class TestJoint:
    def test_zeroed_has_no_mask(self):
        """JMVAE-zero: what is absent is features of zero, and nothing else tells."""
        _, guide = pair("joint", networks="zeroed")
        batch, observed = batch_and_mask(guide)
        features = [f * observed[:, m : m + 1] for m, f in enumerate(guide.features(batch))]
        loc, scale = guide.networks[0](torch.cat(features, -1))
        torch.testing.assert_close(guide.posterior(batch).mean, loc)
        torch.testing.assert_close(guide.posterior(batch).stddev, scale)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"networks: expected one of .*'separate'.*, got 'one'"):
            pair("joint", networks="one")


class TestTransformer:
    def test_only_observed_tokens_are_read(self):
        _, guide = pair("transformer", width=8, heads=2)
        batch, observed = batch_and_mask(guide)
        experts = guide.experts(guide.features(batch))
        tokens = guide.token(torch.cat([experts.loc, experts.scale], -1)) + guide.modality
        joint = [b for b in range(6) if observed[b].sum() > 1]
        assert len(joint) == 4
        for b in joint:
            seen = tokens[b : b + 1, observed[b]]
            out = guide.encoder(seen, torch.zeros(seen.shape[:2], dtype=torch.bool))[0].mean(0)
            loc, scale = guide.moments(out)
            torch.testing.assert_close(guide.posterior(batch).mean[b], loc, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(guide.posterior(batch).stddev[b], scale, rtol=1e-4, atol=1e-5)

    def test_modalities_are_told_apart(self):
        """The same value means something else from another sensor."""
        parts = [Modality(n, encoder=nn.Identity(), features=2) for n in ("a", "b")]
        guide = guides.load("transformer")(parts, 2)
        guide.heads["b"].load_state_dict(guide.heads["a"].state_dict())
        first, second = torch.randn(2, 4, 2)
        means = [guide.posterior(Batch.of({"a": x, "b": y})).mean for x, y in ((first, second), (second, first))]
        assert not torch.allclose(*means)

    def test_errors(self):
        with pytest.raises(ValueError, match="expected a divisor of width = 128, got 5"):
            pair("transformer", heads=5)
        with pytest.raises(ValueError, match="layers: expected at least 1, got 0"):
            pair("transformer", layers=0)


@pytest.mark.parametrize("name", ["attention", "mopoe", "set", "transformer"])
def test_evaluation_mode_without_gradients_gives_the_same(name):
    """PyTorch's fast paths of attention must not change the result, nor make NaN of samples that see nothing."""
    guide = guides.load(name)(modalities(), LATENT)
    rows = torch.arange(6)
    batch = Batch.of(data(), {"a": rows % 2 == 0, "b": rows % 3 == 0, "c": rows < 3})
    training = guide.posterior(batch)
    with torch.no_grad():
        evaluation = guide.eval().posterior(batch)
    torch.testing.assert_close(training.mean, evaluation.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(training.variance, evaluation.variance, rtol=1e-4, atol=1e-5)
    assert not guide.observed(batch)[5].any()
    torch.testing.assert_close(evaluation.mean[5], torch.zeros(LATENT), rtol=0, atol=0)
    torch.testing.assert_close(evaluation.variance[5], torch.ones(LATENT))


@pytest.mark.parametrize("name", ["attention", "mopoe", "set", "transformer"])
def test_evaluation_mode_on_a_fake_gpu(name):
    """Nor may the fast paths wait for the device."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"), pyro.validation_enabled(False):
        guide = guides.load(name)(modalities(), LATENT).eval()
        values = {n: torch.empty(v.shape) for n, v in data().items()}
        batch = Batch.of(values, {"a": torch.ones(6, dtype=torch.bool)})
        with torch.no_grad():
            assert guide.posterior(batch).mean.device.type == "cuda"


@pytest.mark.parametrize("name", ["attention", "mopoe", "set", "transformer"])
def test_samples_that_see_nothing_leave_gradients_finite(name):
    guide = guides.load(name)(modalities(), LATENT)
    rows = torch.arange(6)
    batch = Batch.of(data(), {n: rows < 3 for n in "abc"})
    posterior = guide.posterior(batch)
    (posterior.mean.sum() + posterior.variance.log().sum()).backward()
    for key, parameter in guide.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
