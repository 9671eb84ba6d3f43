"""Bounds against the truth: the linear-Gaussian model, Pyro's own estimators, and laws of the gradients."""

from __future__ import annotations

import math

import pytest
import torch
from pyro.infer import RenyiELBO, Trace_ELBO
from support import data, pair, with_pattern

from pyro_mmvae import Batch, Objective, guides
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.iwae import iwae
from pyro_mmvae.objectives.jmvae import jmvae
from pyro_mmvae.objectives.m2vae import m2vae
from pyro_mmvae.objectives.mmvae import mmvae
from pyro_mmvae.objectives.mopoe import mopoe
from pyro_mmvae.objectives.mvae import mvae


class TestTruth:
    """Linear-Gaussian model: everything is known."""

    def exact(self, truth):
        guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
        truth.set_exact_experts(guide)
        return truth.model(), guide

    def test_elbo_at_the_exact_posterior_is_the_log_likelihood(self, truth):
        model, guide = self.exact(truth)
        objective = extended(truth.names, truth.names, num_particles=3000)
        for batch in (truth.sample(5), with_pattern(truth.sample(5))):
            with torch.no_grad():
                bound = objective.evaluate(model, guide, batch).per_sample
            assert (bound - truth.log_prob(batch)).abs().max() < 0.25

    def test_importance_weights_at_the_exact_posterior_are_constant(self, truth):
        model, guide = self.exact(truth)
        objective = Objective(extended(truth.names, truth.names).table, num_particles=3, importance_weighted=True)
        for batch in (truth.sample(5), with_pattern(truth.sample(5))):
            bound = objective.evaluate(model, guide, batch).per_sample
            torch.testing.assert_close(bound, truth.log_prob(batch), rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("name", guides.available())
    def test_elbo_below_iwae_below_log_likelihood(self, truth, name):
        model, guide = truth.model(), guides.load(name)(truth.modalities(), truth.latent_dim).double()
        batch, repeats = truth.sample(6), 400
        table = extended(guide.inputs, truth.names).table
        with torch.no_grad():
            elbo = Objective(table, num_particles=repeats).evaluate(model, guide, batch).per_sample
            weighted = Objective(table, num_particles=16, importance_weighted=True, validate=False)
            draws = torch.stack([weighted.evaluate(model, guide, batch).per_sample for _ in range(repeats)])
        error = draws.std(0) / math.sqrt(repeats)
        assert (elbo.mean() < draws.mean() + 3 * error.mean()).all()
        assert (draws.mean(0) < truth.log_prob(batch) + 4 * error + 1e-9).all()

    def test_stratified_mixture_bound_equals_the_plain_estimator(self, truth):
        """The strata sum out the component index: same value as sampling the mixture, by the score function's law."""
        model, guide = truth.model(), guides.load("moe")(truth.modalities(), truth.latent_dim).double()
        batch = with_pattern(truth.sample(6))
        with torch.no_grad():
            ours = mmvae(truth.names, truth.names, num_particles=4000).evaluate(model, guide, batch).per_sample
            z = guide.posterior(batch).sample((20000,))
            total = model.prior().log_prob(z) - guide.posterior(batch).log_prob(z)
            for n in truth.names:
                total = total + model.decode(z, n).log_prob(batch.data[n]) * batch.observed[n]
        # A sample with nothing observed has no row; its bound is zero by definition, and so is the plain estimate.
        error = total.std(0) / math.sqrt(4000)
        assert ((ours - total.mean(0)).abs() < 6 * error + 1e-6).all()

    def test_stratified_gradient_is_that_of_the_score_function(self, truth):
        """A naive log p - log q with a mixture's `sample` has the right loss and a zero gradient; ours has not."""
        model, guide = truth.model(), guides.load("moe")(truth.modalities(), truth.latent_dim).double()
        batch = truth.sample(4)
        parameter = guide.heads["a"].linear.bias
        loss = mmvae(truth.names, truth.names, num_particles=3000)(model, guide)
        loss(batch).backward()
        ours = parameter.grad.clone()
        z = guide.posterior(batch).sample((60000,))
        log_q = guide.posterior(batch).log_prob(z)
        with torch.no_grad():
            reward = model.prior().log_prob(z) - log_q
            for n in truth.names:
                reward = reward + model.decode(z, n).log_prob(batch.data[n])
            reward = reward - reward.mean(0)
        (score,) = torch.autograd.grad(-(reward * log_q).mean(), parameter)
        torch.testing.assert_close(ours, score, rtol=0.1, atol=0.1 * score.abs().max().item())


def test_extended_equals_pyros_trace_elbo():
    model, guide = pair("poe")
    batch = Batch.of(data()).only(["a", "b"])
    ours = extended(("a", "b"), ["a", "b"], num_particles=5000).evaluate(model, guide, batch).loss
    theirs = Trace_ELBO(num_particles=5000, vectorize_particles=True, max_plate_nesting=1).loss(model, guide, batch)
    assert ours.item() == pytest.approx(theirs / batch.size, rel=0.02)


def test_importance_weighted_equals_pyros_renyi():
    model, guide = pair("poe")
    batch = Batch.of(data()).only(["a", "b"])
    table = extended(("a", "b"), ["a", "b"]).table
    torch.manual_seed(1)
    ours = Objective(table, num_particles=7, importance_weighted=True).evaluate(model, guide, batch).loss
    torch.manual_seed(1)
    renyi = RenyiELBO(alpha=0, num_particles=7, vectorize_particles=True, max_plate_nesting=1)
    assert ours.item() == pytest.approx(renyi.loss(model, guide, batch) / batch.size, rel=1e-5)


class TestVariants:
    """What the bounds of the literature are, with exact experts or by hand."""

    def test_m2vae_at_exact_posteriors_is_the_log_likelihood_less_the_gaps(self, truth):
        """With q_S = p(z | x_S) each ELBO is log p(x_S), and a KL between posteriors is what their logs leave."""
        guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
        truth.set_exact_experts(guide)
        batch = truth.sample(5)
        with torch.no_grad():
            bound = m2vae(truth.names, truth.names, num_particles=4000).evaluate(truth.model(), guide, batch).per_sample
        expected = torch.zeros(5, dtype=torch.float64)
        for size, share in ((1, 1 / 3), (2, 1 / 6), (3, 1 / 3)):
            for subset in [s for s in m2vae(truth.names, truth.names).table.subsets if len(s) == size]:
                expected += share * truth.log_prob(batch, subset)
                q = guide.posterior(batch.given(subset))
                for left_out in subset if size > 1 else ():
                    less = guide.posterior(batch.given([n for n in subset if n != left_out]))
                    expected -= share * torch.distributions.kl_divergence(q, less)
        assert (bound - expected).abs().max() < 0.2
        assert (expected < truth.log_prob(batch)).all()

    def test_mopoe_is_the_mean_over_products(self):
        model, guide = pair("mopoe")
        _, products = pair("poe")
        products.load_state_dict(guide.state_dict())
        batch = with_pattern(Batch.of(data()))
        objective = mopoe(guide.inputs, ["y"], num_particles=3)
        torch.manual_seed(2)
        ours = objective.evaluate(model, guide, batch)
        torch.manual_seed(2)
        theirs = objective.evaluate(model, products, batch)
        assert ours.kl.shape == (3, 1, 7, 6)
        torch.testing.assert_close(ours.per_sample, theirs.per_sample)

    def test_mvae_adds_three_elbos(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        torch.manual_seed(0)
        bound = mvae(["a", "b"], {"a": 2.0, "b": 1.0}, beta=0.5).evaluate(model, guide, batch)
        parts = bound.parts()
        by_hand = sum(2 * parts[f"log_prob/a|{s}"] for s in ("a+b", "a"))
        by_hand += sum(parts[f"log_prob/b|{s}"] for s in ("a+b", "b"))
        by_hand -= 0.5 * sum(parts[f"kl|{s}"] for s in ("a+b", "a", "b"))
        torch.testing.assert_close(bound.loss, -by_hand)
        assert "log_prob/a|b" not in parts

    def test_jmvae_pays_the_analytic_kl_to_each_single(self):
        model, guide = pair("joint")
        batch = Batch.of(data())
        bound = jmvae(("a", "b"), ["y"], alpha=0.3).evaluate(model, guide, batch)
        q = guide.posterior(batch.given(("a", "b")))
        pulls = [torch.distributions.kl_divergence(q, guide.posterior(batch.given((n,)))) for n in "ab"]
        torch.testing.assert_close(bound.per_sample, bound.rows[0] - 0.3 * (pulls[0] + pulls[1]))


class TestImportanceWeighted:
    def with_wide_experts(self, truth, guide_name):
        """Return a pair whose posterior is not exact and covers the truth, so that weights have light tails."""
        guide = guides.load(guide_name)(truth.modalities(), truth.latent_dim).double()
        truth.set_exact_experts(guide)
        with torch.no_grad():
            for head in guide.heads.values():
                head.linear.bias += 0.2
        return truth.model(), guide

    def bounds(self, truth, guide_name, repeats, **kinds):
        model, guide = self.with_wide_experts(truth, guide_name)
        batch = truth.sample(5)
        found = {}
        with torch.no_grad():
            for name, objective in kinds.items():
                objective.validate = False
                found[name] = torch.stack([objective.evaluate(model, guide, batch).per_sample for _ in range(repeats)])
        return found, truth.log_prob(batch)

    @pytest.mark.parametrize("guide_name", ["poe", "moe", "mopoe"])
    def test_the_order_of_bounds(self, truth, guide_name):
        """ELBO <= average over components <= pooled <= log p(x), and more draws are better."""
        names = truth.names
        kinds = {f"pooled {k}": iwae(names, names, num_particles=k) for k in (1, 4, 32)}
        kinds["elbo"] = extended(names, names)
        if guide_name != "poe":
            kinds["average 4"] = mmvae(names, names, num_particles=4, form="iwae")
        found, exact = self.bounds(truth, guide_name, 500, **kinds)
        ordered = [("elbo", "pooled 1"), ("pooled 1", "pooled 4"), ("pooled 4", "pooled 32")]
        if guide_name != "poe":
            ordered += [("elbo", "average 4"), ("average 4", "pooled 4")]
        error = {n: v.std(0) / math.sqrt(500) for n, v in found.items()}
        for less, more in ordered:
            assert (found[less].mean(0) < found[more].mean(0) + 4 * (error[less] + error[more])).all(), (less, more)
        assert (found["pooled 32"].mean(0) < exact + 4 * error["pooled 32"]).all()

    def test_pooled_strata_are_unbiased_for_the_likelihood_itself(self, truth):
        found, exact = self.bounds(truth, "moe", 4000, pooled=iwae(truth.names, truth.names, num_particles=1))
        ratio = (found["pooled"] - exact).exp()
        assert ((ratio.mean(0) - 1).abs() < 5 * ratio.std(0) / math.sqrt(4000)).all()

    def test_a_stratum_without_observation_does_not_count(self):
        model, guide = pair("moe")
        batch = Batch.of(data(), {"a": torch.zeros(6, dtype=torch.bool)})
        bound = iwae(guide.inputs, ["y"], num_particles=3).evaluate(model, guide, batch)
        assert torch.isfinite(bound.per_sample).all()
        assert (bound.importance[:, 0] == 0).all()
        bound.loss.backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in guide.parameters())

    def gradients(self, model, guide, batch, objective, repeats):
        parameter = guide.heads["a"].linear.weight
        objective.validate = False
        found = [
            torch.autograd.grad(objective.evaluate(model, guide, batch).loss, parameter)[0] for _ in range(repeats)
        ]
        return torch.stack(found)

    @pytest.mark.parametrize("draws", [1, 8])
    def test_dreg_has_the_same_mean_and_less_noise(self, truth, draws):
        model, guide = self.with_wide_experts(truth, "poe")
        batch = truth.sample(3)
        plain, dreg = (
            self.gradients(
                model,
                guide,
                batch,
                iwae(truth.names, truth.names, num_particles=draws, doubly_reparameterised=double),
                1500,
            )
            for double in (False, True)
        )
        error = (plain.var(0) / 1500 + dreg.var(0) / 1500).sqrt()
        assert ((plain.mean(0) - dreg.mean(0)).abs() < 5 * error + 1e-9).all()
        assert dreg.var(0).mean() < plain.var(0).mean()

    def test_dreg_of_the_exact_posterior_is_zero_for_the_guide(self, truth):
        """Sticking the landing: at the optimum every single gradient vanishes, not only the mean."""
        guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
        truth.set_exact_experts(guide)
        objective = iwae(truth.names, truth.names, num_particles=4, doubly_reparameterised=True)
        gradient = self.gradients(truth.model(), guide, truth.sample(3), objective, 3)
        assert gradient.abs().max() < 1e-8

    def test_dreg_leaves_value_and_the_models_gradient_alone(self):
        model, guide = pair("moe")
        batch = Batch.of(data())
        found = []
        for form in ("iwae", "dreg"):
            torch.manual_seed(4)
            loss = mmvae(guide.inputs, ["y"], num_particles=5, form=form).evaluate(model, guide, batch).loss
            found.append((loss, torch.autograd.grad(loss, model.decoders["y"].weight)[0]))
        torch.testing.assert_close(found[0], found[1])

    def test_dreg_of_a_mixture_with_one_draw_is_unbiased(self, truth):
        model, guide = truth.model(), guides.load("moe")(truth.modalities(), truth.latent_dim).double()
        batch = truth.sample(3)
        plain, dreg = (
            self.gradients(model, guide, batch, mmvae(truth.names, truth.names, form=form), 3000)
            for form in ("plain", "dreg")
        )
        error = (plain.var(0) / 3000 + dreg.var(0) / 3000).sqrt()
        assert ((plain.mean(0) - dreg.mean(0)).abs() < 5 * error + 1e-9).all()
