"""What every guide promises, over all files of the folder."""

from __future__ import annotations

import pytest
import torch
from support import LATENT, data, every_subset, modalities, pair, with_pattern
from torch.distributions import Independent, Normal

from pyro_mmvae import Batch, guides
from pyro_mmvae.guide import ExpertGuide

ALL = guides.available()
OPTIONS = [(name, {}) for name in ALL] + [
    ("moe_moments", {"weights": "learned"}),
    ("joint", {"networks": "per_subset"}),
    ("joint", {"networks": "separate"}),
    ("joint", {"networks": "zeroed"}),
    ("poe", {"prior_expert": "joint"}),
    ("poe", {"prior_expert": "never"}),
    ("crossmodal", {"source": "b"}),
    ("mopoe", {"prior_expert": "joint"}),
    ("mopoe", {"prior_expert": "never"}),
    ("attention", {"primary": "b", "heads": 2}),
    ("set", {"width": 8, "heads": 2}),
    ("transformer", {"width": 8, "heads": 2, "layers": 1}),
]


def moments(guide, batch):
    posterior = guide.posterior(batch)
    return posterior.mean, posterior.variance


def test_the_folder_is_the_registry():
    assert {"crossmodal", "joint", "poe", "gpoe", "moe", "moe_moments"} <= set(ALL)
    with pytest.raises(ValueError, match=r"unknown name 'pose'.*gpoe"):
        guides.load("pose")


@pytest.mark.parametrize(("name", "options"), OPTIONS)
class TestContract:
    def test_shapes_for_every_subset_and_missing_pattern(self, name, options):
        _, guide = pair(name, **options)
        batch = with_pattern(Batch.of(data()))
        for subset in every_subset(guide.inputs):
            posterior = guide.posterior(batch.given(subset))
            assert posterior.batch_shape == (6,)
            assert posterior.event_shape == (LATENT,)
            assert torch.isfinite(posterior.log_prob(torch.zeros(6, LATENT))).all()

    def test_rows_equal_one_subset_at_a_time(self, name, options):
        _, guide = pair(name, **options)
        batch = with_pattern(Batch.of(data()))
        subsets = every_subset(guide.inputs)
        masks = {n: torch.tensor([[n in s] for s in subsets]) for n in guide.inputs}
        mean, variance = moments(guide, batch.seen(masks))
        for row, subset in enumerate(subsets):
            one_mean, one_variance = moments(guide, batch.given(subset))
            torch.testing.assert_close(mean[row], one_mean)
            torch.testing.assert_close(variance[row], one_variance)

    def test_masking_equals_leaving_out(self, name, options):
        _, guide = pair(name, **options)
        batch = Batch.of(data())
        for subset in every_subset(guide.inputs)[1:]:
            for got, expected in zip(
                moments(guide, batch.given(subset)), moments(guide, batch.only(subset)), strict=True
            ):
                torch.testing.assert_close(got, expected)

    def test_what_is_masked_has_no_influence(self, name, options):
        _, guide = pair(name, **options)
        values = data()
        mask = {"a": torch.zeros(6, dtype=torch.bool)}
        before = moments(guide, Batch.of(values, mask))
        after = moments(guide, Batch.of({**values, "a": values["a"] * 100}, mask))
        torch.testing.assert_close(before, after)

    def test_order_in_the_batch_does_not_matter(self, name, options):
        _, guide = pair(name, **options)
        values = data()
        forward, backward = Batch.of(values), Batch.of(dict(reversed(values.items())))
        torch.testing.assert_close(moments(guide, forward), moments(guide, backward))

    def test_nothing_observed_gives_the_prior(self, name, options):
        _, guide = pair(name, **options)
        posterior = guide.posterior(Batch.of(data()).given(()))
        z = torch.randn(50, 6, LATENT)
        prior = Independent(Normal(torch.zeros(LATENT), torch.ones(LATENT)), 1)
        torch.testing.assert_close(posterior.log_prob(z), prior.log_prob(z))

    def test_a_single_observed_input_gives_its_own_expert(self, name, options):
        """Sample by sample, beside samples that have more; unless the guide says that it does not."""
        _, guide = pair(name, **options)
        if not isinstance(guide, ExpertGuide):
            return
        count, rows = len(guide.inputs), torch.arange(2 * len(guide.inputs))
        # The first samples have one input each, the others all of them.
        masks = {n: (rows == m) | (rows >= count) for m, n in enumerate(guide.inputs)}
        batch = Batch.of(data(size=2 * count), masks)
        own = guide.experts(guide.features(batch))
        mean, variance = moments(guide, batch)
        kept = all(
            torch.allclose(got[m], expected[m, m])
            for got, expected in ((mean, own.loc), (variance, own.scale.square()))
            for m in range(count)
        )
        assert kept == guide.keeps_lone_expert

    def test_point_is_the_mean_of_one_gaussian(self, name, options):
        _, guide = pair(name, **options)
        batch = with_pattern(Batch.of(data()))
        subsets = every_subset(guide.inputs)
        masks = {n: torch.tensor([[n in s] for s in subsets]) for n in guide.inputs}
        points, posterior = guide.point(batch.seen(masks)), guide.posterior(batch.seen(masks))
        assert points.shape == (len(subsets), 6, LATENT)
        if guide.num_components == 1:
            torch.testing.assert_close(points, posterior.mean)
        else:
            gap = (posterior.component_distribution.mean - points.unsqueeze(-2)).abs().amax(-1)
            weight = posterior.mixture_distribution.probs
            assert (gap.masked_fill(weight == 0, torch.inf).amin(-1) < 1e-5).all()
        torch.testing.assert_close(points[0], torch.zeros(6, LATENT), rtol=0, atol=0)
        for row, subset in enumerate(subsets):
            torch.testing.assert_close(points[row], guide.point(batch.given(subset)))

    def test_weights_sum_to_one_over_what_is_observed(self, name, options):
        _, guide = pair(name, **options)
        rows = torch.arange(6)
        batch = Batch.of(data(), {"a": rows % 2 == 0, "b": rows % 3 == 0, "c": rows < 3})  # the last sees nothing
        subsets = every_subset(guide.inputs)
        seen = batch.seen({n: torch.tensor([[n in s] for s in subsets]) for n in guide.inputs})
        found, observed = guide.weights(seen), guide.observed(seen)
        assert (found is None) == (name not in ("attention", "gpoe", "moe", "moe_moments"))
        if found is None:
            return
        assert tuple(found) == guide.inputs
        stacked = torch.stack(list(found.values()), -2)
        assert stacked.shape == (len(subsets), 6, len(guide.inputs), LATENT)
        assert (stacked >= 0).all()
        assert (stacked[~observed] == 0).all()
        expected = observed.any(-1, keepdim=True).expand(*observed.shape[:-1], LATENT).float()
        torch.testing.assert_close(stacked.sum(-2), expected)

    def test_weights_are_those_of_the_posterior(self, name, options):
        """The posterior's mean is the average of the experts' means, by these weights (and by precision in `gpoe`)."""
        _, guide = pair(name, **options)
        batch = with_pattern(Batch.of(data()))
        if (found := guide.weights(batch)) is None:
            return
        weights, experts = torch.stack(list(found.values()), -2), guide.experts(guide.features(batch))
        if name == "gpoe":
            weights = weights * experts.scale.pow(-2)
        expected = (weights * experts.loc).sum(-2) / weights.sum(-2)
        torch.testing.assert_close(guide.posterior(batch).mean, expected)

    def test_the_mean_follows_the_experts_by_their_influence(self, name, options):
        _, guide = pair(name, **options)
        batch = with_pattern(Batch.of(data()))
        found = guide.influence(batch)
        assert (found is None) == (name not in ("attention", "gpoe", "moe", "moe_moments", "mopoe", "poe"))
        if found is None:
            return
        factors, experts = torch.stack(list(found.values()), -2), guide.experts(guide.features(batch))
        assert (factors[~guide.observed(batch)] == 0).all()
        posterior = guide.component(batch) if name == "mopoe" else guide.posterior(batch)
        torch.testing.assert_close(posterior.mean, (factors * experts.loc).sum(-2))

    def test_float64(self, name, options):
        _, guide = pair(name, **options)
        posterior = guide.double().posterior(Batch.of(data(dtype=torch.float64)))
        assert posterior.mean.dtype == torch.float64

    def test_state_dict_round_trip(self, name, options, tmp_path):
        _, guide = pair(name, **options)
        _, other = pair(name, **options)
        torch.save(guide.state_dict(), tmp_path / "guide.pt")
        other.load_state_dict(torch.load(tmp_path / "guide.pt", weights_only=True))
        batch = Batch.of(data())
        torch.testing.assert_close(moments(guide, batch), moments(other, batch), rtol=0, atol=0)

    def test_a_single_modality_works(self, name, options):
        parts = modalities(("b",))
        guide = guides.load(name)(parts, LATENT, **options)
        assert guide.posterior(Batch.of({"b": data()["b"]})).mean.shape == (6, LATENT)

    def test_a_batch_without_any_input_gives_the_prior(self, name, options):
        _, guide = pair(name, **options)
        posterior = guide.posterior(Batch.of({"y": data()["y"]}))
        torch.testing.assert_close(posterior.mean.expand(6, LATENT), torch.zeros(6, LATENT))


def test_poe_with_exact_experts_is_the_exact_posterior(truth):
    guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
    truth.set_exact_experts(guide)
    complete = truth.sample(8, seed=3)
    for batch in (complete, with_pattern(complete), complete.given(["b"])):
        loc, scale = truth.posterior(batch)
        got = guide.posterior(batch)
        torch.testing.assert_close(got.mean, loc)
        torch.testing.assert_close(got.stddev, scale)


def test_gpoe_powers_sum_to_one_over_what_is_observed():
    _, guide = pair("gpoe")
    batch = with_pattern(Batch.of(data()))
    alpha = guide.alpha(guide.features(batch), guide.observed(batch))
    torch.testing.assert_close(alpha.sum(-2), torch.ones(6, LATENT))
    assert (alpha[~guide.observed(batch)] == 0).all()


def test_gpoe_follows_its_formula():
    _, guide = pair("gpoe")
    batch = Batch.of(data())
    features = guide.features(batch)
    experts, alpha = guide.experts(features), guide.alpha(features, guide.observed(batch))
    precision = (alpha / experts.scale**2).sum(1)
    torch.testing.assert_close(guide.posterior(batch).variance, 1 / precision)
    torch.testing.assert_close(guide.posterior(batch).mean, (alpha * experts.loc / experts.scale**2).sum(1) / precision)


def test_moe_moments_average_and_the_mixture_do_not_agree_on_variance():
    _, averaged = pair("moe_moments")
    _, mixture = pair("moe")
    mixture.load_state_dict(averaged.state_dict())
    batch = Batch.of(data())
    experts = averaged.experts(averaged.features(batch))
    mean, variance = moments(averaged, batch)
    torch.testing.assert_close(mean, experts.loc.mean(1))
    torch.testing.assert_close(variance, experts.scale.square().mean(1))
    spread = experts.loc.var(1, unbiased=False)
    torch.testing.assert_close(moments(mixture, batch)[1], variance + spread)


def test_errors_name_the_choices():
    with pytest.raises(ValueError, match=r"source 'd' has no encoder; choose one of \['a', 'b', 'c'\]"):
        guides.load("crossmodal")(modalities(), LATENT, source="d")
    with pytest.raises(ValueError, match="expected 'equal' or 'learned'"):
        guides.load("moe_moments")(modalities(), LATENT, weights="some")
    with pytest.raises(ValueError, match="at least one modality with an encoder"):
        guides.load("poe")(modalities(()), LATENT)
