"""Tables: weights computed by hand, what is printed, and rows that are drawn."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import LATENT, TARGETS, common_noise, data, pair, six_modalities

from pyro_mmvae import Batch, IncompatibleError, MultimodalVAE, Objective, Schedule, Table, Term, guides
from pyro_mmvae.cross_correlation import CrossCorrelation, with_cross_correlation
from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.objectives.alignment import alignment
from pyro_mmvae.objectives.iwae import iwae
from pyro_mmvae.objectives.jmvae import jmvae
from pyro_mmvae.objectives.m2vae import m2vae
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.objectives.mopoe import mopoe
from pyro_mmvae.objectives.mvae import mvae
from pyro_mmvae.objectives.smvae import smvae
from pyro_mmvae.objectives.telbo import telbo
from pyro_mmvae.table import Alignment, powerset

ABC = ["a", "b", "c"]
ALL_OF_ABC = [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]


def weights(table):
    return {term.given: term.weight for term in table.terms}


class TestByHand:
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

    def test_m2vae_of_three(self):
        table = m2vae(ABC, ABC).table
        assert weights(table) == pytest.approx({s: {1: 1 / 3, 2: 1 / 6, 3: 1 / 3}[len(s)] for s in ALL_OF_ABC})
        assert all(set(term.decode) == set(term.given) for term in table.terms)
        assert {(p.of, p.to): p.weight for p in table.alignments} == pytest.approx(
            {(("a", "b", "c"), pair): 1 / 3 for pair in ALL_OF_ABC[3:6]}
            | {(pair, (name,)): 1 / 6 for pair in ALL_OF_ABC[3:6] for name in pair}
        )

    @pytest.mark.parametrize("count", [1, 2, 4, 6])
    def test_m2vae_is_its_recursion(self, count):
        names = [f"m{i}" for i in range(count)]

        def bound(subset, factor):
            if len(subset) == 1:
                rows[subset] = rows.get(subset, 0) + factor
                return
            factor /= len(subset)
            rows[subset] = rows.get(subset, 0) + factor
            for left_out in subset:
                rest = tuple(n for n in subset if n != left_out)
                pulls[subset, rest] = pulls.get((subset, rest), 0) + factor
                bound(rest, factor)

        rows, pulls = {}, {}
        bound(tuple(names), 1.0)
        table = m2vae(names, names).table
        assert weights(table) == pytest.approx(rows)
        assert {(p.of, p.to): p.weight for p in table.alignments} == pytest.approx(pulls)

    def test_m2vae_beta_by_level(self):
        table = m2vae(ABC, ABC, beta={1: 0.5, 3: 2.0}, beta_mutual={2: Schedule(0.0, 6.0, steps=2)}).table
        assert {len(t.given): t.kl for t in table.terms} == {1: 0.5, 2: 1.0, 3: 2.0}
        pull = next(p for p in table.alignments if len(p.of) == 2)
        assert pull.weight(2) == pytest.approx(1.0)

    def test_jmvae(self):
        table = jmvae(ABC, ["a", "y"], beta=0.5, alpha=0.1).table
        assert [(t.given, t.kl, t.decode) for t in table.terms] == [(tuple(ABC), 0.5, {"a": 1.0, "y": 1.0})]
        assert [(p.of, p.to, p.weight) for p in table.alignments] == [(tuple(ABC), (n,), 0.1) for n in ABC]
        others = jmvae(ABC, ["a"], against="leave_one_out").table.alignments
        assert [p.to for p in others] == [("b", "c"), ("a", "c"), ("a", "b")]
        both = [jmvae(ABC[:2], ["a"], against=form).table.alignments for form in ("singles", "leave_one_out")]
        assert {p.to for p in both[0]} == {p.to for p in both[1]}

    def test_telbo(self):
        table = telbo(ABC[:2], {"a": 1.0, "b": 3.0, "y": 2.0}, single_weights={"b": 50.0}).table
        assert [(t.given, t.decode, t.weight) for t in table.terms] == [
            (("a", "b"), {"a": 1.0, "b": 3.0, "y": 2.0}, 1.0),
            (("a",), {"a": 1.0, "y": 2.0}, 1.0),
            (("b",), {"b": 3.0, "y": 2.0}, 50.0),
        ]
        with pytest.raises(ValueError, match=r"unknown names \['z'\]; the known names are"):
            telbo(ABC, ABC, single_weights={"z": 1.0})

    def test_mvae(self):
        table = mvae(ABC, ABC, num_subsets=2).table
        assert weights(table) == pytest.approx(
            {("a", "b", "c"): 1, ("a",): 1, ("b",): 1, ("c",): 1} | dict.fromkeys(ALL_OF_ABC[3:6], 2 / 3)
        )
        assert all(set(term.decode) == set(term.given) for term in table.terms)
        drawn = table.drawn(Random(0))
        assert [t.given for t in drawn.terms[:4]] == [("a", "b", "c"), ("a",), ("b",), ("c",)]
        assert [t.weight for t in drawn.terms] == pytest.approx([1.0] * 6)
        assert weights(mvae(ABC[:2], ABC[:2]).table) == {("a", "b"): 1, ("a",): 1, ("b",): 1}

    def test_smvae_and_mopoe(self):
        own, everything = smvae(ABC, [*ABC, "y"]).table, mopoe(ABC, ABC).table
        assert weights(own) == weights(everything) == pytest.approx(dict.fromkeys(ALL_OF_ABC, 1 / 7))
        assert all(set(t.decode) == {*t.given, "y"} for t in own.terms)
        assert all(set(t.decode) == set(ABC) for t in everything.terms)
        (row,) = own.drawn(Random(0)).terms
        assert row.weight == pytest.approx(1.0)
        assert everything.drawn(Random(0)) is everything

    def test_smvae_regulariser(self):
        """Mean over subsets of the sums of mu^2 and (sigma - 1)^2, by hand."""
        model, guide = pair("set")
        batch = Batch.of(data(), {"a": torch.tensor([True, False] * 3)})
        with common_noise():
            plain = smvae(ABC[:2], TARGETS).evaluate(model, guide, batch, training=False).per_sample
            pulled = (
                smvae(ABC[:2], TARGETS, regularisation=0.6).evaluate(model, guide, batch, training=False).per_sample
            )
        by_hand = torch.zeros(6)
        for subset in (("a",), ("b",), ("a", "b")):
            q = guide.posterior(batch.given(subset))
            there = batch.observed["a"] | ("b" in subset)
            by_hand += 0.2 * there * (q.mean.square() + (q.stddev - 1).square()).sum(-1)
        torch.testing.assert_close(plain - pulled, by_hand)

    def test_smvae_regulariser_is_drawn_like_the_rows(self):
        table = smvae(ABC, ABC, regularisation=Schedule(0.0, 7.0, steps=2)).table
        assert [(p.of, p.to) for p in table.alignments] == [(s, ()) for s in ALL_OF_ABC]
        (pull,) = table.drawn(Random(0)).alignments
        assert pull.weight(2) == pytest.approx(7.0)
        assert smvae(ABC, ABC).table.alignments == ()
        with pytest.raises(IncompatibleError, match="compares single Gaussians"):
            smvae(ABC, ABC, regularisation=1.0).check(*pair("moe"))

    def test_what_cannot_be_decoded_is_said(self):
        for build in (mvae, smvae, telbo, m2vae):
            with pytest.raises(ValueError, match=r"the targets are \['a'\]; add \['b'\]"):
                build(["a", "b"], ["a"])

    def test_too_many_subsets_to_list(self):
        with pytest.raises(ValueError, match="13 inputs have 8191 subsets"):
            powerset([f"m{i}" for i in range(13)])

    def test_bad_options(self):
        with pytest.raises(ValueError, match="expected at least 1, got 0"):
            smvae(ABC, ABC, num_subsets=0)
        with pytest.raises(ValueError, match="at least 0, got -1"):
            mvae(ABC, ABC, num_subsets=-1)
        with pytest.raises(ValueError, match="'singles' or 'leave_one_out'"):
            jmvae(ABC, ABC, against="pairs")
        with pytest.raises(ValueError, match="belong to bounds with importance_weighted"):
            Objective(Table([Term(("a",), {})]), pooled_strata=True)


class TestDraws:
    @given(st.integers(1, 5), st.integers(1, 12), st.booleans())
    def test_expected_weights_are_the_tables(self, count, budget, fixed):
        """Averaged over the choice, every row and every alignment has its own weight: the law of the budget."""
        names = [f"m{i}" for i in range(count)]
        full = m2vae(names, names).table
        always = min(int(fixed), len(full.terms) - 1)
        table = Table(full.terms, full.alignments, max_terms=budget + always, always=always)
        draws, rng = 600, Random(0)
        rows, pulls = dict.fromkeys(full.subsets, 0.0), {(p.of, p.to): 0.0 for p in full.alignments}
        for _ in range(draws):
            drawn = table.drawn(rng)
            assert len(drawn.terms) <= budget + always
            assert len(drawn.alignments) <= budget + always
            for term in drawn.terms:
                rows[term.given] += term.weight / draws
            for pull in drawn.alignments:
                pulls[pull.of, pull.to] += pull.weight / draws
        for found, expected, size in (
            (rows, weights(full), len(full.terms)),
            (pulls, {(p.of, p.to): p.weight for p in full.alignments}, len(full.alignments)),
        ):
            for key, value in expected.items():
                factor = max(size / budget, 1.0)
                assert found[key] == pytest.approx(value, abs=6 * value * math.sqrt((factor - 1) / draws) + 1e-9)

    def test_gradients_of_draws_average_to_that_of_the_table(self):
        parts, batch = six_modalities()
        model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
        names = [part.name for part in parts]
        parameter = guide.heads["a"].linear.weight
        with common_noise():
            whole = torch.autograd.grad(m2vae(names, names).evaluate(model, guide, batch).loss, parameter)[0]
            some = m2vae(names, names, max_terms=20)
            found = []
            for some.step in range(150):
                found.append(torch.autograd.grad(some.evaluate(model, guide, batch).loss, parameter)[0])
        found = torch.stack(found)
        error = found.std(0) / math.sqrt(150)
        assert ((found.mean(0) - whole).abs() < 5 * error + 1e-6).all()
        assert (error > 0).any()

    def test_every_process_draws_the_same_and_every_step_anew(self):
        pairs = [pair("poe") for _ in range(2)]
        losses = [smvae(ABC[:2], TARGETS, seed=3)(*p) for p in pairs]
        batch = Batch.of(data())
        seen = [[loss.bound(batch).table.terms[0].given for _ in range(12)] for loss in losses]
        assert seen[0] == seen[1]
        assert set(seen[0]) == {("a",), ("b",), ("a", "b")}

    def test_evaluation_looks_at_the_whole_table(self):
        loss = smvae(ABC[:2], TARGETS)(*pair("poe")).eval()
        assert len(loss.bound(Batch.of(data())).table.terms) == 3

    def test_decoders_that_are_not_drawn_take_part_with_a_gradient_of_zero(self):
        """Distributed training waits for every parameter."""
        model, guide = pair("poe")
        objective = smvae(["a", "b"], {"a": 1.0, "b": 1.0})
        loss = objective(model, guide)
        for _ in range(8):
            loss.zero_grad()
            bound = loss.bound(Batch.of(data()))
            bound.loss.backward()
            idle = {"a", "b"} - set(bound.table.targets)
            for name in ("a", "b"):
                gradient = model.decoders[name].weight.grad
                assert (gradient == 0).all() if name in idle else (gradient != 0).any()

    def test_rows_that_do_not_decode_cost_nothing(self):
        model, guide = pair("poe")
        rows = []
        model.decoders["a"].register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
        objective = mvae(["a", "b"], ["a", "b"])
        objective.evaluate(model, guide, Batch.of(data()))  # checks values besides
        rows.clear()
        objective.evaluate(model, guide, Batch.of(data()))
        assert rows == [12]  # two of the three rows, six samples

    def test_printing(self):
        assert str(mvae(ABC, ABC)).splitlines()[-1] == (
            "- each training step draws 1 of the last 3 rows at random and scales their weights by 3"
        )


class TestAlignmentsAlone:
    """A table may have no row: nothing is decoded, and the guide is trained."""

    TABLE = Table([], [Alignment(("a",), ("b",), 0.5), Alignment(("a", "b"), ("c",), 2.0, wasserstein)], name="pull")

    @pytest.mark.parametrize("options", [{}, {"num_particles": 3}, {"num_particles": 2, "importance_weighted": True}])
    def test_value(self, options):
        model, guide = pair("poe")
        batch = Batch.of(data(), {"c": torch.tensor([True, False] * 3)})
        bound = Objective(self.TABLE, **options).evaluate(model, guide, batch)
        q, p, whole, last = (guide.posterior(batch.given(s)) for s in (["a"], ["b"], ["a", "b"], ["c"]))
        pull = 0.5 * torch.distributions.kl_divergence(q, p)
        far = ((whole.mean - last.mean).square() + (whole.stddev - last.stddev).square()).sum(-1).sqrt()
        torch.testing.assert_close(bound.per_sample, -pull - 2 * far * batch.observed["c"])
        assert bound.rows.shape == (0, 6)
        assert set(bound.parts()) == {"alignment/a|b", "alignment/a+b|c"}
        bound.loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in guide.parameters())
        assert all(p.grad is None for p in model.parameters())

    def test_doubly_reparameterised(self):
        model, guide = pair("moe")
        table = Table([], [Alignment(("a",), ("b",))])
        objective = Objective(table, num_particles=2, importance_weighted=True, doubly_reparameterised=True)
        objective(model, guide)(Batch.of(data())).backward()
        assert torch.isfinite(guide.heads["a"].linear.weight.grad).all()

    def test_it_trains(self):
        model, guide = pair("poe")
        loss = Objective(self.TABLE)(model, guide)
        optimiser = torch.optim.Adam(guide.parameters(), lr=1e-2)
        values = []
        for _ in range(30):
            optimiser.zero_grad()
            values.append(loss(Batch.of(data())))
            values[-1].backward()
            optimiser.step()
        assert values[-1] < 0.5 * values[0]

    def test_printing(self):
        assert str(self.TABLE).splitlines() == [
            "pull:",
            "- 0.5 kl(q({a}) || q({b}))",
            "- 2 wasserstein(q({a, b}) || q({c}))",
        ]
        drawn = Table([], self.TABLE.alignments, max_terms=1)
        assert str(drawn).splitlines()[-1] == (
            "- each training step draws 1 of the alignments at random and scales their weights by 2"
        )

    def test_drawn(self):
        table = Table([], self.TABLE.alignments, max_terms=1)
        drawn = [table.drawn(Random(seed)) for seed in range(20)]
        assert {a.alignments[0].of: a.alignments[0].weight for a in drawn} == {("a",): 1.0, ("a", "b"): 4.0}
        assert all(a.terms == [] for a in drawn)
        assert table.drawn(Random(0), at_least=2) is table
        model, guide = pair("poe")
        assert torch.isfinite(Objective(table)(model, guide)(Batch.of(data())))

    def test_errors(self):
        with pytest.raises(ValueError, match="at least one term or alignment, got none"):
            Table([])
        with pytest.raises(ValueError, match="max_terms: expected at least 1, got 0"):
            Table([], self.TABLE.alignments, max_terms=0)


class TestCrossCorrelation:
    def test_value(self):
        model, guide = pair("poe")
        batch = Batch.of(data(size=40))
        objective = with_cross_correlation(mixing(["a", "b"], ["y"]), 0.5, "l1")
        ((value, both),) = objective.evaluate(model, guide, batch).alignments
        first, second = (guide.posterior(batch.given((n,))).mean.detach().numpy().T for n in "ab")
        matrix = torch.from_numpy(np.corrcoef(first, second)[:LATENT, LATENT:])
        assert both.all()
        torch.testing.assert_close(
            value.double(), (matrix - torch.eye(LATENT)).abs().sum().expand(40), rtol=1e-4, atol=0
        )
        plain = mixing(["a", "b"], ["y"])
        with common_noise():
            gap = objective.evaluate(model, guide, batch).loss - plain.evaluate(model, guide, batch).loss
        torch.testing.assert_close(gap, 0.5 * value[0])
        assert "0.5 cross-correlation l1(q({a}) || q({b}))" in str(objective)

    def test_samples_that_lack_one_are_left_out(self):
        model, guide = pair("gpoe")
        values, half = data(size=20), torch.tensor([True, False] * 10)
        objective = with_cross_correlation(mixing(["a", "b"], ["y"]), 1.0, "l2")
        ((some, both),) = objective.evaluate(model, guide, Batch.of(values, {"a": half})).alignments
        ((those, _),) = objective.evaluate(model, guide, Batch.of(values)[half]).alignments
        assert both.tolist() == half.tolist()
        torch.testing.assert_close(some[half], those)

    def test_training_brings_the_latents_together(self):
        model, guide = pair("poe")
        batch = Batch.of({n: v if n != "b" else data(size=30)["a"][:, :2] for n, v in data(size=30).items()})
        loss = with_cross_correlation(mixing(["a", "b"], ["y"], beta=0.01), 5.0, "l2")(model, guide)
        optimiser = torch.optim.Adam(loss.parameters(), lr=3e-2)
        values = []
        for _ in range(60):
            optimiser.zero_grad()
            bound = loss.bound(batch)
            bound.loss.backward()
            optimiser.step()
            values.append(bound.alignments[0][0][0].item())
        assert values[-1] < 0.5 * values[0]

    def test_it_fits_every_kind_of_objective(self):
        for build in (mvae, m2vae, jmvae, smvae, iwae):
            objective = with_cross_correlation(build(["a", "b"], ["a", "b"]), 0.1)
            assert torch.isfinite(objective(*pair("poe"))(Batch.of(data())))

    def test_errors(self):
        with pytest.raises(ValueError, match="expected 'l1' or 'l2'"):
            CrossCorrelation("l3")
        with pytest.raises(ValueError, match="compares two posteriors"):
            with_cross_correlation(mixing(["a"], ["y"]), 1.0)
