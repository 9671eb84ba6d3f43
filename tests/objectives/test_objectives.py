"""Objectives: contracts over every guide and bound, errors and schedules."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pyro
import pytest
import torch
from pyro.infer import SVI
from support import (
    LATENT,
    build,
    common_noise,
    compatible_pairs,
    data,
    modalities,
    pair,
    six_modalities,
    unmet,
    with_pattern,
    with_table,
)
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae import (
    Alignment,
    Batch,
    IncompatibleError,
    Modality,
    MultimodalVAE,
    Objective,
    Schedule,
    Table,
    Term,
    guides,
    objectives,
)
from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.objectives.alignment import alignment
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.mmvae import mmvae
from pyro_mmvae.requirements import COMPONENT, MIXTURE, ONE_GAUSSIAN, TWO_INPUTS

PAIRS = compatible_pairs()


class TestRequirements:
    """What is refused follows from what is declared; the contract below runs all the rest."""

    @pytest.mark.parametrize("guide_name", guides.available())
    @pytest.mark.parametrize("objective_name", objectives.available())
    def test_a_pair_is_refused_exactly_where_a_requirement_is_not_met(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        objective = build(objective_name, guide)
        lacking = unmet(objective, model, guide)
        assert bool(lacking) == ((guide_name, objective_name) not in PAIRS)
        if lacking:
            with pytest.raises(IncompatibleError, match=f"^{objective_name} .*; use "):
                objective.check(model, guide)
        else:
            objective.check(model, guide)

    @pytest.mark.parametrize(
        ("objective_name", "requirements"),
        [
            ("extended", set()),
            ("alignment", {TWO_INPUTS}),
            ("jmvae", {TWO_INPUTS}),
            ("mmvae", {MIXTURE}),
            ("mopoe", {COMPONENT}),
        ],
    )
    def test_what_bounds_declare(self, objective_name, requirements):
        assert set(build(objective_name, pair("poe")[1]).requirements) == requirements

    def test_every_requirement_is_lacking_somewhere_and_met_somewhere(self):
        pairs = [pair(name) for name in guides.available()]
        for requirement in (COMPONENT, MIXTURE, ONE_GAUSSIAN, TWO_INPUTS):
            found = {requirement.met(*p, extended(p[1].inputs, ["y"]).table) for p in pairs}
            assert found == {True, False}, requirement

    def test_a_divergence_declares_for_itself(self):
        table = Table([Term(("a",), {"y": 1.0})], [Alignment(("a",), ("b",), divergence=wasserstein)])
        for objective, guide_name in ((Objective(table), "poe"), (Objective(table, by_component=True), "mopoe")):
            objective.check(*pair(guide_name))
        with pytest.raises(IncompatibleError, match="the divergence wasserstein compares single Gaussians"):
            Objective(table).check(*pair("mopoe"))


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
            whole = objective.evaluate(model, guide, batch, training=False)
            for row, term in enumerate(objective.table.terms):
                alone = with_table(objective, Table([term])).evaluate(model, guide, batch)
                torch.testing.assert_close(whole.rows[row], alone.rows[0])

    def test_masking_a_target_equals_leaving_it_out(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        batch = Batch.of(data(), {"y": torch.zeros(6, dtype=torch.bool)})
        objective = build(objective_name, guide)
        rows = [replace(t, decode={n: w for n, w in t.decode.items() if n != "y"}) for t in objective.table.terms]
        with common_noise():
            masked = objective.evaluate(model, guide, batch)
            without = with_table(objective, replace(objective.table, terms=rows)).evaluate(model, guide, batch)
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
        svi = SVI(model, guide, pyro.optim.Adam({"lr": 2e-3}), loss=build(objective_name, guide))
        start = {id(p): p.detach().clone() for p in [*model.parameters(), *guide.parameters()]}
        batch = Batch.of(data())
        with common_noise():
            before = svi.evaluate_loss(batch)
        for _ in range(25):
            svi.step(batch)
        with common_noise():
            assert svi.evaluate_loss(batch) < before
        for module in (model, guide):
            assert any(not torch.equal(p, start[id(p)]) for p in module.parameters())

    def test_torch_optimiser_trains_and_leaves_no_global_state(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        loss = build(objective_name, guide)(model, guide)
        optimiser = torch.optim.Adam(loss.parameters(), lr=2e-3)
        batch = Batch.of(data())
        with common_noise():
            before = loss.eval()(batch).item()
        loss.train()
        for _ in range(25):
            optimiser.zero_grad()
            loss(batch).backward()
            optimiser.step()
        with common_noise():
            assert loss.eval()(batch).item() < before
        assert len(pyro.get_param_store()) == 0

    def test_six_modalities(self, guide_name, objective_name):
        """Any number of modalities: one step with a pattern of missing values, within the budget of rows."""
        parts, batch = six_modalities()
        model, guide = MultimodalVAE(parts, LATENT), guides.load(guide_name)(parts, LATENT)
        build_six = objectives.load(objective_name)
        budget = {"max_terms": 4} if "max_terms" in inspect.signature(build_six).parameters else {}
        objective = build_six(guide.inputs, [part.name for part in parts], **budget)
        assert not unmet(objective, model, guide)
        assert objective.evaluate(model, guide, batch).kl.shape[-2] <= (8 if objective_name in ("mvae", "telbo") else 7)
        loss = objective(model, guide)(batch)
        loss.backward()
        assert torch.isfinite(loss)
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in [*model.parameters(), *guide.parameters()])


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
        with pytest.raises(ValueError, match="expected at least 1, got 0"):
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

    def test_a_state_of_tensors_loads_and_the_count_stays(self):
        loss = extended(("a",), ["y"], beta=Schedule(0.0, 1.0, steps=4))(*pair("poe"))
        loss(Batch.of(data()))
        state = loss.state_dict()
        assert all(torch.is_tensor(value) for value in state.values())
        other = extended(("a",), ["y"])(*pair("poe"))
        other.load_state_dict({name: value for name, value in state.items() if name != "_extra_state"})
        assert other.elbo.step == 0
        nn.ModuleDict({"inner": other}).load_state_dict({f"inner.{n}": v for n, v in state.items()})
        assert other.elbo.step == 1
        other.load_state_dict({**state, "_extra_state": {"step": 7}})  # as it was saved before
        assert other.elbo.step == 7
        with pytest.raises(RuntimeError, match="Missing key"):
            other.load_state_dict({"_extra_state": state["_extra_state"]})

    def test_beta_reaches_the_loss(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        losses = []
        for beta in (0.0, 1.0):
            with common_noise():
                losses.append(extended(("a",), ["y"], beta=beta).evaluate(model, guide, batch).loss)
        kl = torch.distributions.kl_divergence(guide.posterior(batch.given(["a"])), model.prior()).mean()
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
