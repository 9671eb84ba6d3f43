"""The mapper: what it maps, what it draws on the way, and log-likelihoods through it."""

from __future__ import annotations

import math

import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO
from support import LATENT, data, every_subset, modalities, pair, with_pattern
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from pyro_mmvae import Batch, Modality, MultimodalVAE, Objective, Table, Term, guides, load, save
from pyro_mmvae.distributions.hierarchical import Hierarchical, draws, redrawn
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.export import export
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.guides.moe import MoE
from pyro_mmvae.guides.mopoe import MoPoE
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.prediction import predictive


def wide(guide, scale=1.0):
    """Return the mapper with an intermediate Gaussian that is far from a point, and mappings that tell draws apart."""
    with torch.no_grad():
        for mapping in guide.mappers.values():
            head = mapping.ve[-1]
            head.linear.bias[guide.intermediate_dim :] = math.log(math.expm1(scale))
            mapping.vd[-1].linear.weight *= 2
    return guide


def broad(guide):
    """Set q(z | u) = N(u, 1.2) with u ~ N(., 1): a proposal that covers the reference's posteriors."""
    with torch.no_grad():
        for mapping in guide.mappers.values():
            for gaussian, scale in ((mapping.ve[-1], 1.0), (mapping.vd[-1], 1.2)):
                gaussian.linear.weight[LATENT:] = 0.0
                gaussian.linear.bias[LATENT:] = math.log(math.expm1(scale))
            mapping.vd[-1].linear.weight[:LATENT] = torch.eye(LATENT)
            mapping.vd[-1].linear.bias[:LATENT] = 0.0
    return guide


class TestMapping:
    def test_it_is_the_formula(self):
        """Given a source: VD(draw of VE(E1(x))); the draw is the intermediate's mean in what stands for the mixture."""
        guide = Mapper(modalities(), LATENT, onto="b", upper_dim=3, intermediate_dim=4, widths=(7,))
        batch = Batch.of(data())
        assert guide.inputs == ("a", "c", "b")
        above = guide.upper.posterior(batch.only(["c"]))
        mapping = guide.mappers["c"]
        loc, scale = mapping.ve(torch.cat([above.mean, above.stddev], -1))
        assert loc.shape == (6, 4)
        posterior = guide.posterior(batch.given(["c"]))
        torch.testing.assert_close(posterior.inner.mean[:, 1], loc)
        torch.testing.assert_close(posterior.inner.stddev[:, 1], scale)
        mean, sigma = mapping.vd(loc)
        torch.testing.assert_close(posterior.mean, mean)
        torch.testing.assert_close(posterior.stddev, sigma)
        draw = torch.randn(5, 6, 2, 4)
        mean, sigma = mapping.vd(draw[:, :, 1])
        torch.testing.assert_close(posterior.given(draw).mean, mean)
        torch.testing.assert_close(posterior.given(draw).stddev, sigma)

    def test_the_lower_branch_is_its_own_gaussian(self):
        _, guide = pair("mapper")
        batch = Batch.of(data())
        lower = guide.lower.posterior(batch.only(["c"]))
        for got in (guide.posterior(batch.given(["c"])), redrawn(guide.posterior(batch.given(["c"])))):
            torch.testing.assert_close(got.mean, lower.mean)
            torch.testing.assert_close(got.stddev, lower.stddev)

    @pytest.mark.parametrize("fusion", ["poe", "moe_moments"])
    def test_several_are_fused_by_the_named_rule(self, fusion):
        _, guide = pair("mapper", fusion=fusion)
        rows = torch.arange(8)
        batch = Batch.of(data(size=8), {n: rows // 2**i % 2 == 1 for i, n in enumerate("abc")})
        complete = Batch.of(data(size=8))
        alone = [guide.posterior(complete.given([n])) for n in guide.inputs]
        mean, scale = (torch.stack([getattr(q, part) for q in alone]) for part in ("mean", "stddev"))
        found, observed = guide.posterior(batch), guide.observed(batch)
        for b in range(8):
            there = observed[b].nonzero().flatten()
            if not len(there):
                torch.testing.assert_close(found.mean[b], torch.zeros(LATENT), rtol=0, atol=0)
                torch.testing.assert_close(found.stddev[b], torch.ones(LATENT), rtol=0, atol=0)
            elif fusion == "poe":
                precision = scale[there, b].pow(-2).sum(0)
                torch.testing.assert_close(found.stddev[b], precision.rsqrt())
                expected = (mean[there, b] * scale[there, b].pow(-2)).sum(0) / precision
                torch.testing.assert_close(found.mean[b], expected)
            else:
                torch.testing.assert_close(found.mean[b], mean[there, b].mean(0))
                torch.testing.assert_close(found.variance[b], scale[there, b].square().mean(0))

    def test_each_source_has_a_mapper_of_its_own(self):
        _, guide = pair("mapper")
        batch = Batch.of(data())
        guide.posterior(batch.given(["a"])).mean.sum().backward()
        moved = {n for n, p in guide.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert moved
        assert {n.split(".")[1] for n in moved} == {"a", "encoders", "heads"}
        assert all(".a." in n for n in moved)

    def test_what_does_not_fit_is_refused(self):
        parts = modalities()
        for options, message in (
            ({"onto": "d"}, r"onto 'd' has no encoder; choose one of \['a', 'b', 'c'\]"),
            ({"fusion": "sum"}, "'poe', 'moe_moments'"),
            ({"upper": PoE(parts[:1], 3)}, r"upper: expected a guide that encodes \['b'\]"),
            ({"lower": PoE(parts, 3)}, "lower: expected a guide of latent dimension 2, got one of 3"),
            ({"upper": PoE(modalities(), 3)}, r"upper: its encoders of \['a', 'b'\] are not those"),
            ({"intermediate_dim": 0}, "intermediate_dim: expected at least 1"),
            ({"upper_dim": 0}, "latent_dim: expected at least 1"),
        ):
            with pytest.raises(ValueError, match=message):
                Mapper(parts, LATENT, **options)
        with pytest.raises(ValueError, match="at least one modality with an encoder"):
            Mapper(modalities(())[-1:], LATENT)


class TestDraws:
    def test_the_draw_is_reparameterised(self):
        """The gradient of E f(z) with respect to VE's scale is that of finite differences under the same noise."""
        torch.manual_seed(0)
        guide = wide(Mapper(modalities(), LATENT).double())
        batch = Batch.of(data(dtype=torch.float64)).given(["a"])
        objective = Objective(Table([Term(("a",), {"y": 1.0})]), num_particles=3, validate=False)
        model = MultimodalVAE(modalities(), LATENT).double()
        batch = Batch.of(data(dtype=torch.float64))
        bias = guide.mappers["a"].ve[-1].linear.bias

        def loss():
            torch.manual_seed(4)
            return objective.evaluate(model, guide, batch).loss

        loss().backward()
        for place in range(len(bias)):
            values = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    bias[place] += step
                    values.append(loss())
                    bias[place] -= step
            numeric = (values[0] - values[1]) / 2e-5
            assert abs(bias.grad[place]) > 1e-6
            torch.testing.assert_close(bias.grad[place], numeric, rtol=1e-4, atol=1e-7)

    def test_every_draw_row_and_sample_has_an_inner_draw_of_its_own(self):
        model, guide = pair("mapper")
        wide(guide)
        seen = []
        guide.mappers["a"].vd.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        table = Table([Term(("a",), {"y": 1.0}), Term(("a", "b"), {"y": 1.0})])
        Objective(table, num_particles=5).evaluate(model, guide, Batch.of(data()))
        (drawn,) = seen  # VD runs once, for all of them
        assert drawn.shape == (5, 1, 2, 6, LATENT)
        assert len(torch.unique(drawn)) == drawn.numel()

    def test_z_is_scored_under_the_gaussian_of_its_own_inner_draw(self):
        _, guide = pair("mapper")
        posterior = wide(guide).posterior(Batch.of(data()).given(["a"]))
        assert isinstance(posterior, Hierarchical)
        torch.manual_seed(1)
        inner = posterior.inner.sample((7,))
        expected = posterior.given(inner)
        value = expected.sample()
        torch.manual_seed(1)
        z, score = draws(posterior, (7,))
        torch.testing.assert_close(z, value, rtol=0, atol=0)
        torch.testing.assert_close(score, expected.log_prob(value), rtol=0, atol=0)
        assert not torch.allclose(score, posterior.log_prob(z))

    def test_what_has_no_inner_draw_is_left_as_it_is(self):
        q = pair("poe")[1].posterior(Batch.of(data()))
        assert redrawn(q) is q
        torch.manual_seed(2)
        z, score = draws(q, (3,))
        torch.manual_seed(2)
        torch.testing.assert_close(z, q.sample((3,)), rtol=0, atol=0)
        torch.testing.assert_close(score, q.log_prob(z))

    def test_the_program_is_pyros_too(self):
        """Under Pyro's own ELBO the masked, auxiliary site costs nothing, so that it is the same bound."""
        model, guide = pair("mapper")
        wide(guide)
        batch = Batch.of(data()).only(["a", "b"])
        table = Table([Term(("a", "b"), {"a": 1.0, "b": 1.0})])
        with torch.no_grad():
            ours = Objective(table, num_particles=6000).evaluate(model, guide, batch).loss
            theirs = Trace_ELBO(6000, vectorize_particles=True, max_plate_nesting=1).loss(model, guide, batch)
        assert ours.item() == pytest.approx(theirs / batch.size, rel=0.02)
        trace = pyro.poutine.trace(guide).get_trace(batch)
        assert trace.nodes["inner"]["infer"]["is_auxiliary"]

    def test_predictions_spread_with_the_intermediate(self):
        """Total variance of a linear decoder's prediction: noise, z given u, and u."""
        model, guide = pair("mapper")
        wide(guide)
        batch = Batch.of(data())
        found = predictive(model, guide, batch, given=["a"], of=["y"], num_samples=20000, keep_draws=False)
        q = guide.posterior(batch.given(["a"]))
        inner = q.inner.sample((20000,))
        given = q.given(inner)
        weight = model.decoders["y"].weight
        within = torch.einsum("yd,bd,yd->by", weight, given.variance.mean(0), weight)
        between = (given.mean @ weight.T).var(0)
        expected = (0.25 + within + between).sqrt()
        torch.testing.assert_close(found.std["y"], expected, rtol=0.05, atol=0)
        assert (between > 0.1 * within).all()


class TestKL:
    def test_of_the_intermediate(self):
        """It is the sum over the sources that a row sees of KL(r || N(0, I)), in closed form."""
        model, guide = pair("mapper")
        batch = with_pattern(Batch.of(data()))
        table = Table([Term(("a", "b"), {"y": 1.0}, kl=0.0, kl_inner=0.5), Term(("c",), {"y": 1.0}, kl_inner=2.0)])
        bound = Objective(table, num_particles=2).evaluate(model, guide, batch)
        expected = torch.zeros(6)
        for name in "ab":
            inner = guide.posterior(Batch.of(data()).given([name])).inner.base_dist
            place = guide.sources.index(name)
            q = Normal(inner.loc[:, place], inner.scale[:, place])
            kl = kl_divergence(q, Normal(torch.zeros(()), torch.ones(()))).sum(-1)
            expected = expected + torch.where(batch.observed[name], kl, 0.0)
        torch.testing.assert_close(bound.kl_inner[0, 0, 0], expected)
        torch.testing.assert_close(bound.kl_inner[1, 0, 1], torch.zeros(6), rtol=0, atol=0)
        plain = Objective(Table([Term(("a", "b"), {"y": 1.0}, kl=0.0), Term(("c",), {"y": 1.0})]), num_particles=2)
        values = []
        for objective in (plain, Objective(table, num_particles=2)):
            torch.manual_seed(0)
            values.append(objective.evaluate(model, guide, batch).per_sample)
        torch.testing.assert_close(values[0] - values[1], 0.5 * expected)
        assert "kl_inner|a+b" in bound.parts()


class TestTruth:
    def model_and_mapper(self, seed=0):
        """Return the reference model with an untrained mapper over exact branches."""
        truth = LinearGaussian({"a": 3, "b": 2, "c": 4}, latent_dim=2, seed=1)
        torch.manual_seed(seed)
        guide = Mapper(truth.modalities(), 2).double()
        truth.set_exact_experts(guide.lower)
        truth.set_exact_experts(guide.upper)
        return truth, truth.model(), guide

    def test_log_likelihoods_through_the_mapper_are_right(self):
        """However wide the intermediate is, for every subset given; error bars say how far they are off."""
        truth, model, guide = self.model_and_mapper()
        broad(guide)
        batch = with_pattern(truth.sample(40))
        for given in every_subset(guide.inputs):
            estimate = log_likelihood(model, guide, batch, given=given, num_samples=4000, defensive=0.2, seed=3)
            z = (estimate.value - truth.log_prob(batch)) / estimate.standard_error.clamp_min(1e-9)
            z = z[estimate.available & (estimate.standard_error > 1e-6)]
            assert z.abs().max() < 5
            assert abs(z.mean()) < 1
            assert estimate.standard_error[estimate.available].median() < 0.1

    def test_the_density_at_the_intermediates_mean_would_be_wrong(self):
        """What the test above would see if draws through the intermediate were scored by another density."""
        truth, model, guide = self.model_and_mapper()
        broad(guide)
        with torch.no_grad():
            batch = truth.sample(30)
            posterior = guide.posterior(batch.given(["a"]))
            z, score = draws(posterior, (20000,))
            joint = model.prior().log_prob(z)
            for n in truth.names:
                joint = joint + model.decode(z, n).log_prob(batch.data[n])
            right, wrong = (
                (joint - q).logsumexp(0) - math.log(20000) - truth.log_prob(batch)
                for q in (score, posterior.log_prob(z))
            )
        assert right.abs().median() < 0.05
        assert wrong.abs().median() > 5 * right.abs().median()

    def test_bounds_through_the_mapper_are_bounds(self):
        truth, model, guide = self.model_and_mapper()
        wide(guide, 0.3)
        batch = truth.sample(20)
        table = Table([Term(("a",), dict.fromkeys(truth.names, 1.0))])
        with torch.no_grad():
            elbo = Objective(table, num_particles=4000).evaluate(model, guide, batch).per_sample
            many = (
                Objective(table, num_particles=4000, importance_weighted=True).evaluate(model, guide, batch).per_sample
            )
        assert (elbo < many).all()
        assert (many < truth.log_prob(batch) + 0.3).all()


class TestOverAFinishedGuide:
    @pytest.mark.parametrize("kind", [PoE, MoE, MoPoE])
    def test_both_branches_are_the_guide(self, kind):
        """A mixture's posterior of a lone input is one Gaussian."""
        options = {} if kind is MoE else {"prior_expert": "never"}
        finished = kind(modalities(), LATENT, **options)
        guide = Mapper.over(finished, "b", ["a"])
        assert guide.inputs == ("a", "b")
        assert guide.upper is guide.lower is finished
        batch = Batch.of(data())
        expert = finished.posterior(batch.only(["b"]))
        torch.testing.assert_close(guide.posterior(batch.given(["b"])).mean, expert.mean)
        torch.testing.assert_close(guide.posterior(batch.given(["b"])).variance, expert.variance)
        assert not torch.allclose(guide.posterior(batch.given(["a"])).mean, finished.posterior(batch.only(["a"])).mean)
        with pytest.raises(ValueError, match=r"does not encode \['y'\]"):
            Mapper.over(finished, "y")
        assert Mapper.over(finished, "b").sources == ("a", "c")

    def test_it_is_saved_with_the_guide_that_it_holds(self, tmp_path):
        """Inputs of the held guide that are no sources, too."""
        model, finished = pair("gpoe")
        guide = Mapper.over(finished, "b", ["a"], widths=(4,))
        save(tmp_path / "pair", model, guide)
        _, again = load(tmp_path / "pair")
        assert again.upper is again.lower
        assert again.upper.inputs == ("a", "b", "c")
        batch = with_pattern(Batch.of(data()))
        assert torch.equal(again.posterior(batch).mean, guide.posterior(batch).mean)
        assert torch.equal(again.upper.posterior(batch).mean, finished.posterior(batch).mean)

    def test_two_encoders_of_one_modality_are_saved_apart(self, tmp_path):
        """The upper guide encodes what is mapped onto as well, by a network of its own."""
        parts = modalities()
        lower = PoE([Modality("c", encoder=nn.Linear(4, 5))], LATENT)
        upper = PoE(parts[:3], 3)
        given = [*parts[:2], Modality("c", encoder=lower.encoders["c"])]
        guide = Mapper(given, LATENT, upper=upper, lower=lower)
        save(tmp_path / "pair", MultimodalVAE(parts, LATENT), guide)
        _, again = load(tmp_path / "pair")
        assert again.upper.encoders["c"] is not again.lower.encoders["c"]
        assert again.upper.encoders["a"] is again.encoders["a"]
        batch = with_pattern(Batch.of(data()))
        assert torch.equal(again.posterior(batch).mean, guide.posterior(batch).mean)
        assert torch.equal(again.upper.posterior(batch).mean, upper.posterior(batch).mean)

    def test_it_is_exported(self):
        model, finished = pair("poe", prior_expert="never")
        guide = Mapper.over(finished, "b")
        program = export(guide, Batch.of(data()), model=model).module()
        batch = with_pattern(Batch.of(data(5)))
        values = {n: batch.data[n] for n in guide.inputs}
        found = program(values, {n: batch.observed[n] for n in guide.inputs})
        torch.testing.assert_close(found["z"], guide.point(batch))


def test_nothing_to_map_is_the_lower_branch():
    guide = guides.load("mapper")(modalities(("b",)), LATENT)
    batch = Batch.of({"b": data()["b"]})
    assert guide.upper is None
    assert guide.branches == {}
    assert not guide.has_inner
    lower = guide.lower.posterior(batch)
    torch.testing.assert_close(guide.posterior(batch).mean, lower.mean)
    assert isinstance(guide.posterior(batch), Independent)


@pytest.mark.parametrize("rows", [1, 7])
def test_likelihoods_do_not_depend_on_chunks(rows):
    """A draw of z follows its own inner draw, so that the random stream does not know how many are made at once."""
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=1)
    guide = Mapper(truth.modalities(), 2).double()
    model, batch = truth.model(), truth.sample(6, seed=2)
    found, whole = (
        log_likelihood(model, guide, batch, of=["b"], given=["a"], num_samples=20, seed=3, chunk_rows=n)
        for n in (rows, 10_000)
    )
    torch.testing.assert_close(found.value, whole.value)
