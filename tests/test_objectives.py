"""Objectives: contracts over every guide and bound, hand-computed tables, and the linear-Gaussian truth."""

from __future__ import annotations

import math

import pyro
import pytest
import torch
from pyro.infer import SVI, RenyiELBO, Trace_ELBO
from support import TARGETS, build, compatible_pairs, data, modalities, pair, with_pattern
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import guides
from pyro_mmvae import (
    Batch,
    IncompatibleError,
    Modality,
    MultimodalVAE,
    Objective,
    Schedule,
    Table,
    Term,
    objectives,
)
from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.objectives.alignment import alignment
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.objectives.mmvae import mmvae
from pyro_mmvae.table import Alignment

PAIRS = compatible_pairs()


def test_all_that_should_work_together_does():
    rejected = {(g, o) for g in guides.available() for o in objectives.available() if (g, o) not in PAIRS}
    single = {g for g in guides.available() if pair(g)[1].num_components == 1}
    assert "moe" not in single
    assert rejected == {("crossmodal", "alignment")} | {(g, "mmvae") for g in single - {"crossmodal"}}


@pytest.mark.parametrize(("guide_name", "objective_name"), PAIRS)
class TestContract:
    def test_every_parameter_gets_a_finite_gradient(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        objective = build(objective_name, guide, num_particles=2)
        used = set(objective.table.targets)
        objective(model, guide)(with_pattern(Batch.of(data()))).backward()
        for name, parameter in [*model.named_parameters(), *guide.named_parameters()]:
            if name.startswith("decoders.") and name.split(".")[1] not in used:
                continue
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    def test_rows_at_once_equal_rows_one_by_one(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        objective = build(objective_name, guide, beta=0.3)
        batch = with_pattern(Batch.of(data()))
        with common_noise():
            whole = objective.evaluate(model, guide, batch)
            for row, term in enumerate(objective.table.terms):
                alone = Objective(Table([term])).evaluate(model, guide, batch)
                torch.testing.assert_close(whole.rows[row], alone.rows[0])

    def test_masking_a_target_equals_leaving_it_out(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        batch = Batch.of(data(), {"y": torch.zeros(6, dtype=torch.bool)})
        with common_noise():
            masked = build(objective_name, guide).evaluate(model, guide, batch)
            rest = {n: w for n, w in TARGETS.items() if n != "y"}
            without = objectives.load(objective_name)(guide.inputs, rest).evaluate(model, guide, batch)
        torch.testing.assert_close(masked.loss, without.loss)

    def test_float64(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        loss = build(objective_name, guide)(model.double(), guide.double())
        assert loss(Batch.of(data(dtype=torch.float64))).dtype == torch.float64

    def test_loss_on_a_fake_gpu(self, guide_name, objective_name):
        """No device mix-up and no wait for the device: fake tensors raise on both."""
        values = data()
        with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
            model, guide = pair(guide_name)
            fake = {n: torch.empty(v.shape) for n, v in values.items()}
            batch = Batch.of(fake, {"a": torch.ones(6, dtype=torch.bool)})
            objective = build(objective_name, guide, num_particles=2)
            objective.validate = False
            assert objective(model, guide)(batch).device.type == "cuda"

    def test_backward_on_meta(self, guide_name, objective_name):
        values = data()
        with torch.device("meta"):
            model, guide = pair(guide_name)
            batch = Batch.of({n: torch.empty(v.shape) for n, v in values.items()})
            objective = build(objective_name, guide)
            objective.validate = False
            objective(model, guide)(batch).backward()
        assert any(p.grad is not None for p in guide.parameters())

    def test_svi_trains_both_sides(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        svi = SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), loss=build(objective_name, guide))
        before = {id(p): p.detach().clone() for p in [*model.parameters(), *guide.parameters()]}
        batch = Batch.of(data())
        losses = [svi.step(batch) for _ in range(30)]
        assert sum(losses[-5:]) < sum(losses[:5])
        for module in (model, guide):
            assert any(not torch.equal(p, before[id(p)]) for p in module.parameters())

    def test_torch_optimiser_trains_and_leaves_no_global_state(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        loss = build(objective_name, guide)(model, guide)
        optimiser = torch.optim.Adam(loss.parameters(), lr=1e-2)
        batch = Batch.of(data())
        losses = []
        for _ in range(30):
            optimiser.zero_grad()
            value = loss(batch)
            value.backward()
            optimiser.step()
            losses.append(value.item())
        assert sum(losses[-5:]) < sum(losses[:5])
        assert len(pyro.get_param_store()) == 0


class common_noise:
    """The same standard normal draw for every row, sample and particle, so that layouts can be compared."""

    def __enter__(self):
        self.patch = pytest.MonkeyPatch()
        fixed = torch.randn(64, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

        def standard_normal(shape, dtype, device):
            return fixed[: shape[-1]].to(dtype=dtype, device=device).expand(shape)

        self.patch.setattr("torch.distributions.normal._standard_normal", standard_normal)

    def __exit__(self, *_):
        self.patch.undo()


def test_an_empty_subset_infers_from_the_prior():
    model, guide = pair("poe")
    bound = Objective(Table([Term((), {"y": 1.0})])).evaluate(model, guide, Batch.of(data()))
    assert bound.active.all()
    torch.testing.assert_close(bound.kl, torch.zeros_like(bound.kl))


def test_a_row_counts_only_where_it_sees_something():
    model, guide = pair("gpoe")
    values = data()
    missing = Batch.of(values, {"a": torch.tensor([True] * 3 + [False] * 3)})
    objective = Objective(Table([Term(("a",), {"y": 1.0})]))
    bound = objective.evaluate(model, guide, missing)
    assert (bound.per_sample[3:] == 0).all()
    assert (bound.per_sample[:3] != 0).all()


class TestTables:
    """Weights computed by hand."""

    def test_mixing(self):
        table = mixing(["rgb", "cloud"], {"cloud": 1.0, "heatmap": 0.01, "pose": 1.0}, beta=0.5).table
        assert [(t.given, t.kl) for t in table.terms] == [
            (("rgb",), 0.5),
            (("cloud",), 0.5),
            (("rgb", "cloud"), 0.0),
        ]
        assert all(t.decode == {"cloud": 1.0, "heatmap": 0.01, "pose": 1.0} for t in table.terms)

    def test_alignment(self):
        table = alignment(["x", "w"], ["y"], beta=2.0).table
        assert [(t.given, t.kl) for t in table.terms] == [(("x", "w"), 2.0), (("x",), 2.0)]
        (pull,) = table.alignments
        assert (pull.of, pull.to, pull.weight) == (("x", "w"), ("x",), 2.0)

    def test_printing(self):
        text = str(mixing(["rgb", "cloud"], {"pose": 1.0}, beta=Schedule(1e-5, 1e-3, steps=10)))
        assert text.splitlines() == [
            "mixing:",
            "| given        | pose | KL          | weight |",
            "|--------------|------|-------------|--------|",
            "| {rgb}        | 1    | 1e-05→0.001 | 1      |",
            "| {cloud}      | 1    | 1e-05→0.001 | 1      |",
            "| {rgb, cloud} | 1    | 0           | 1      |",
        ]

    def test_mixing_value_is_the_sum_of_its_parts(self):
        model, guide = pair("gpoe")
        batch = Batch.of(data())
        bound = mixing(guide.inputs, TARGETS, beta=0.25).evaluate(model, guide, batch)
        parts = bound.parts()
        by_hand = torch.zeros(())
        for subset in ("a", "b", "c", "a+b+c"):
            by_hand = by_hand + sum(w * parts[f"log_prob/{n}|{subset}"] for n, w in TARGETS.items())
            by_hand = by_hand - (0.25 * parts[f"kl|{subset}"] if subset != "a+b+c" else 0)
        torch.testing.assert_close(bound.loss, -by_hand)

    def test_alignment_is_the_analytic_kl(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        bound = alignment(("a", "b"), ["y"], beta=1.0).evaluate(model, guide, batch)
        expected = torch.distributions.kl_divergence(
            guide.posterior(batch.given(("a", "b"))), guide.posterior(batch.given(("a",)))
        )
        torch.testing.assert_close(bound.alignments[0][0], expected)

    def test_alignment_of_subsets_without_a_row_adds_no_decoding(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        table = Table([Term(("a",), {"y": 1.0})], [Alignment(("b",), ("c",), divergence=wasserstein)])
        bound = Objective(table).evaluate(model, guide, batch)
        assert bound.log_prob["y"].shape == (1, 1, 1, 6)
        q, p = (guide.posterior(batch.given((n,))) for n in "bc")
        expected = ((q.mean - p.mean).square() + (q.stddev - p.stddev).square()).sum(-1).sqrt()
        torch.testing.assert_close(bound.alignments[0][0], expected)

    def test_sampled_alignment_of_mixtures_is_unbiased(self):
        model, guide = pair("moe")
        batch = Batch.of(data())
        objective = alignment(guide.inputs, ["y"], num_particles=4000)
        with torch.no_grad():
            ((got, _),) = objective.evaluate(model, guide, batch).alignments
            q, p = guide.posterior(batch), guide.posterior(batch.given(guide.inputs[:1]))
            z = q.sample((20000,))
            gap = q.log_prob(z) - p.log_prob(z)
        assert ((got - gap.mean(0)).abs() < 6 * gap.std(0) / math.sqrt(4000)).all()


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


class TestErrors:
    def test_an_input_that_the_guide_does_not_encode(self):
        model, guide = pair("crossmodal")
        with pytest.raises(IncompatibleError, match=r"infers z from \['b'\].*encodes only \['a'\]"):
            extended(("a", "b"), ["y"])(model, guide)

    def test_a_target_that_the_model_does_not_decode(self):
        model, guide = pair("poe")
        with pytest.raises(IncompatibleError, match=r"decodes \['smell'\]"):
            extended(("a",), ["smell"])(model, guide)

    def test_a_target_that_the_batch_does_not_hold(self):
        model, guide = pair("poe")
        with pytest.raises(IncompatibleError, match=r"decodes \['y'\], but the batch holds only"):
            extended(("a",), ["y"])(model, guide)(Batch.of({"a": data()["a"]}))

    def test_a_mixture_bound_wants_a_mixture(self):
        model, guide = pair("poe")
        with pytest.raises(IncompatibleError, match="`moe`"):
            mmvae(guide.inputs, ["y"])(model, guide)

    def test_svi_does_not_mix_two_models(self):
        batch = Batch.of(data())
        for attempt in range(2):
            model, guide = pair("poe")
            svi = SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), loss=extended(("a",), ["y"]))
            if attempt:
                with pytest.raises(RuntimeError, match="clear_param_store"):
                    svi.step(batch)
            else:
                svi.step(batch)


class TestSchedules:
    def test_values(self):
        linear = Schedule(0.0, 1.0, steps=10, begin=5)
        assert [linear(s) for s in (0, 5, 10, 15, 99)] == [0.0, 0.0, 0.5, 1.0, 1.0]
        assert Schedule(1e-5, 1e-3, steps=2, geometric=True)(1) == pytest.approx(1e-4)

    def test_bad_schedules_are_refused(self):
        with pytest.raises(ValueError, match="positive"):
            Schedule(0.0, 1.0, steps=3, geometric=True)
        with pytest.raises(ValueError, match="at least one step"):
            Schedule(0.0, 1.0, steps=0)

    def test_only_training_calls_advance_and_the_state_dict_remembers(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        loss = extended(("a",), ["y"], beta=Schedule(0.0, 1.0, steps=4))(model, guide)
        loss(batch)
        loss.eval()
        loss(batch)
        loss.train()
        loss(batch)
        assert loss.elbo.step == 2
        other = extended(("a",), ["y"])(*pair("poe"))
        other.load_state_dict(loss.state_dict())
        assert other.elbo.step == 2

    def test_beta_reaches_the_loss(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        losses = []
        for beta in (0.0, 1.0):
            with common_noise():
                losses.append(extended(("a",), ["y"], beta=beta).evaluate(model, guide, batch).loss)
        kl = torch.distributions.kl_divergence(guide.posterior(batch.given("a")), model.prior()).mean()
        torch.testing.assert_close(losses[1] - losses[0], kl)


def test_parts_are_means_over_the_samples_that_have_them():
    model, guide = pair("poe")
    values = data()
    half = torch.tensor([True, False] * 3)
    with common_noise():
        masked = extended(("b",), ["y"]).evaluate(model, guide, Batch.of(values, {"y": half}))
        alone = extended(("b",), ["y"]).evaluate(model, guide, Batch.of(values)[half])
    torch.testing.assert_close(masked.parts()["log_prob/y|b"], alone.parts()["log_prob/y|b"])


def test_a_decoder_of_the_wrong_shape_is_named():
    parts = modalities()
    wrong = [Modality("y", Normal((2,)), nn.Linear(2, 3)), *parts[:3]]
    guide = guides.load("poe")(parts, 2)
    with pytest.raises(ValueError, match=r"decoder of 'y': expected an output of shape \(N, 2\).*got \(N, 3\)"):
        extended(("a",), ["y"])(MultimodalVAE(wrong, 2), guide)(Batch.of(data()))


def test_one_objective_serves_several_guides():
    """Each loss counts its own steps: a second guide starts with beta where the first one did."""
    objective = extended(("a",), ["y"], beta=Schedule(0.0, 1.0, steps=4))
    first, second = (objective(*pair(name)) for name in ("gpoe", "poe"))
    batch = Batch.of(data())
    for _ in range(3):
        first(batch)
    assert (first.elbo.step, second.elbo.step, objective.step) == (3, 0, 0)


def test_an_alignment_is_averaged_over_the_samples_that_have_both():
    model, guide = pair("poe")
    values, half = data(), torch.tensor([True, False] * 3)
    objective = alignment(("a", "b"), ["y"])
    some = objective.evaluate(model, guide, Batch.of(values, {"a": half})).parts()["alignment/a+b|a"]
    those = objective.evaluate(model, guide, Batch.of(values)[half]).parts()["alignment/a+b|a"]
    torch.testing.assert_close(some, those)


@pytest.mark.parametrize("guide_name", guides.available())
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(guide_name, dtype):
    model, guide = pair(guide_name)
    loss = build("extended", guide)(model, guide)
    with torch.autocast("cpu", dtype):
        value = loss(Batch.of(data()))
    value.backward()
    assert torch.isfinite(value)
    full = loss(Batch.of(data()))
    assert value.item() == pytest.approx(full.item(), rel=0.5)
