"""Batches of no sample and of one, and events of one number, in every guide and objective and in the estimators."""

from __future__ import annotations

import math

import pytest
import torch
from support import LATENT, build, compatible_pairs, data, modalities, pair, with_table
from torch import nn

from pyro_mmvae import Alignment, Batch, Modality, MultimodalVAE, Objective, Table, Term, guides
from pyro_mmvae.cross_correlation import CrossCorrelation, with_cross_correlation
from pyro_mmvae.estimators import (
    annealed_log_likelihood,
    compare,
    conditional_log_likelihood,
    elbos,
    log_likelihood,
    to_inference_data,
)
from pyro_mmvae.estimators.annealing import Annealing
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Laplace, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.iwae import iwae
from pyro_mmvae.objectives.mixing import mixing

PAIRS = compatible_pairs()


def gradients(loss):
    return {name: p.grad for name, p in loss.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("guide_name", "objective_name"), PAIRS)
class TestContract:
    def test_an_empty_batch_weighs_nothing(self, guide_name, objective_name):
        """Zero loss and zero gradients, of the same parameters as any batch: other processes wait for them."""
        model, guide = pair(guide_name)
        objective = build(objective_name, guide, num_particles=2)
        loss = objective(model, guide)
        loss(Batch.of(data())).backward()
        some = gradients(loss)
        loss.zero_grad()
        value = loss(Batch.of(data())[:0])
        value.backward()
        assert value == 0
        assert gradients(loss).keys() == some.keys()
        assert all((g == 0).all() for g in gradients(loss).values())

    def test_parts_of_an_empty_batch_count_nothing(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        objective = build(objective_name, guide, num_particles=2)
        bound = objective.evaluate(model, guide, Batch.of(data())[:0])
        assert bound.per_sample.shape == (0,)
        assert all(count == 0 and total == 0 for total, count in bound.totals().values())
        assert all(part == 0 for part in bound.parts().values())
        some = objective.evaluate(model, guide, Batch.of(data()))
        assert bound.parts().keys() == some.parts().keys()
        assert [v.shape[:-1] for v in bound.log_prob.values()] == [v.shape[:-1] for v in some.log_prob.values()]

    def test_one_sample(self, guide_name, objective_name):
        model, guide = pair(guide_name)
        objective = with_cross_correlation(build(objective_name, guide, num_particles=2), 0.5, pairs=[(("a",), ("a",))])
        loss = objective(model, guide)
        value = loss(Batch.of(data())[:1])
        value.backward()
        assert torch.isfinite(value)
        assert all(torch.isfinite(g).all() for g in gradients(loss).values())

    def test_an_empty_batch_on_meta(self, guide_name, objective_name):
        with torch.device("meta"):
            model, guide = pair(guide_name)
            batch = Batch.of({n: torch.empty(0, *v.shape[1:]) for n, v in data().items()})
            objective = build(objective_name, guide)
            objective.validate = False
            objective(model, guide)(batch).backward()


def test_an_empty_batch_leaves_modes_and_batch_statistics():
    model, guide = pair("poe")
    guide.encoders["a"] = nn.Sequential(nn.BatchNorm1d(3), guide.encoders["a"])
    guide.encoders["b"].eval()
    modes = {name: m.training for name, m in guide.named_modules()}
    before = {name: b.clone() for name, b in guide.named_buffers()}
    extended(["a"], ["y"])(model, guide)(Batch.of(data())[:0]).backward()
    assert {name: m.training for name, m in guide.named_modules()} == modes
    assert all(torch.equal(b, before[name]) for name, b in guide.named_buffers())


def test_an_empty_first_batch_does_not_stand_for_the_others():
    """Values are looked at in the first batch that has some."""
    model, guide = pair("poe")
    loss = extended(["a"], ["y"])(model, guide)
    batch = Batch.of(data())
    loss(batch[:0])
    batch.data["y"][2] = torch.nan
    with pytest.raises(ValueError, match=r"'y' holds NaN or infinite values.* in samples \[2\]"):
        loss(batch)


@pytest.mark.parametrize(
    "objective",
    [
        Objective(Table([Term((), {"y": 1.0})])),
        Objective(Table([], [Alignment(("a",), ("b",))])),
        Objective(Table([Term(("a",), {"y": 1.0})], [Alignment(("a",), ("b",), divergence=CrossCorrelation("l2"))])),
        iwae(["a"], ["y"], doubly_reparameterised=True),
        mixing(["a", "b"], ["y"], num_particles=3),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_empty_batches_of_other_tables(objective, training):
    model, guide = pair("poe")
    loss = objective(model, guide).train(training)
    value = loss(Batch.of(data())[:0])
    value.backward()
    assert value == 0
    assert all((g == 0).all() for g in gradients(loss).values())


@pytest.mark.parametrize("guide_name", guides.available())
@pytest.mark.parametrize("size", [0, 1])
def test_posteriors(guide_name, size):
    model, guide = pair(guide_name)
    batch = Batch.of(data())[:size]
    rows = {n: torch.tensor([[n == "a"], [True], [False]]) for n in batch.names}
    for view, lead in ((batch, ()), (batch.seen(rows), (3,))):
        posterior = guide.posterior(view)
        assert posterior.batch_shape == (*lead, size)
        assert posterior.event_shape == (LATENT,)
        if size or guide.num_components == 1:  # PyTorch does not score an empty mixture
            assert guide.point(view).shape == (*lead, size, LATENT)
    assert guide.features(batch)[0].shape == (size, 5)
    assert model.decode(torch.zeros(size, LATENT), "a").batch_shape == (size,)


class TestScalars:
    """Modalities of event shape `()`: a temperature, a switch, a class."""

    def parts(self):
        def part(name, likelihood):
            return Modality(name, likelihood, MLPDecoder(LATENT, likelihood.param_shape, (8,)), MLPEncoder((), (8,)))

        return [
            part("temperature", Normal((), "predicted")),
            part("pressure", Laplace((), "learned")),
            part("switch", Bernoulli(())),
            part("kind", Categorical(3, one_hot=False)),
        ]

    def batch(self, size=5):
        rows = torch.arange(size)
        values = {"temperature": rows / 3, "pressure": rows - 0.5, "switch": rows % 2 == 0, "kind": rows % 3}
        return Batch.of(values, {"temperature": rows % 4 != 0})

    @pytest.mark.parametrize("size", [0, 1, 5])
    @pytest.mark.parametrize(("guide_name", "objective_name"), PAIRS)
    def test_every_guide_and_objective(self, guide_name, objective_name, size):
        parts = self.parts()
        model, guide = MultimodalVAE(parts, LATENT), guides.load(guide_name)(parts, LATENT)
        objective = build(objective_name, pair(guide_name)[1])
        names = {"a": "temperature", "b": "switch", "c": "kind", "y": "pressure"}
        terms = [
            Term(tuple(names[n] for n in t.given), {names[n]: w for n, w in t.decode.items()}, t.kl, t.weight)
            for t in objective.table.terms
        ]
        loss = with_table(objective, Table(terms))(model, guide)
        value = loss(self.batch(size))
        value.backward()
        assert torch.isfinite(value)
        assert all(torch.isfinite(g).all() for g in gradients(loss).values())

    def test_estimates_and_predictions(self):
        parts, batch = self.parts(), self.batch()
        model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
        assert log_likelihood(model, guide, batch, num_samples=30, refine=2).value.shape == (5,)
        assert model.predict(guide.point(batch), "kind").shape == (5,)
        assert to_inference_data(model, guide, batch, num_samples=4).observed_data["switch"].shape == (5,)


class TestEstimators:
    def asks(self, batch):
        model, guide = pair("poe")
        annealing = Annealing(num_temperatures=3, num_chains=2, leapfrog_steps=2)
        return {
            "log_likelihood": lambda: log_likelihood(model, guide, batch, num_samples=30),
            "refined": lambda: log_likelihood(model, guide, batch, num_samples=30, refine=2, defensive=0.1),
            "conditional": lambda: conditional_log_likelihood(model, guide, batch, of=["a"], on=["b"], num_samples=30),
            "annealed": lambda: annealed_log_likelihood(model, batch, annealing=annealing),
            "arviz": lambda: to_inference_data(model, guide, batch, num_samples=4, resample=True),
            "elbos": lambda: elbos(model, guide, batch, [(("a",), ("a", "y"))]),
        }

    @pytest.mark.parametrize("ask", ["log_likelihood", "refined", "conditional", "annealed", "arviz", "elbos"])
    def test_an_empty_batch_is_refused(self, ask):
        with pytest.raises(ValueError, match="expected at least one data point, got an empty batch"):
            self.asks(Batch.of(data())[:0])[ask]()

    @pytest.mark.parametrize("ask", ["log_likelihood", "refined", "conditional", "annealed", "arviz", "elbos"])
    def test_one_data_point(self, ask):
        one = self.asks(Batch.of(data())[:1])[ask]()
        if ask == "elbos":
            assert one[0]["n"] == 1
            assert math.isfinite(one[0]["mean"])
            assert math.isnan(one[0]["se"])
        elif ask != "arviz":
            assert one.value.shape == (1,)
            assert torch.isfinite(one.value).all()
            assert one.summary()["n"] == 1
            assert math.isnan(one.summary()["se"])
            assert compare({"one": one, "other": one}).loc["one", "difference"] == 0

    def test_one_data_point_is_the_first_of_several(self):
        """What is drawn for a point depends on how many there are; the estimate of a certain one does not."""
        parts = modalities()
        model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
        several = log_likelihood(model, guide, Batch.of(data()), num_samples=20_000)[:1]
        one = log_likelihood(model, guide, Batch.of(data())[:1], num_samples=20_000)
        spread = (several.standard_error.square() + one.standard_error.square()).sqrt()
        if max(several.khat.item(), one.khat.item()) < 0.7:
            assert abs(several.value - one.value) < 5 * spread
