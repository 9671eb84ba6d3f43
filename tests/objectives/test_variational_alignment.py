"""Tables of variational alignment and of its baselines, and the distance that they share."""

from __future__ import annotations

import pytest
import torch
from support import TARGETS, common_noise, data, pair

from pyro_mmvae import Alignment, Batch, IncompatibleError, Objective, Schedule, Table, Term
from pyro_mmvae.cross_correlation import with_cross_correlation
from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.objectives.cada import cada, warmup
from pyro_mmvae.objectives.crossvae import crossvae
from pyro_mmvae.objectives.variational_alignment import variational_alignment


def rows(objective):
    return [(t.given, dict(t.decode), t.kl, t.kl_inner) for t in objective.table.terms]


def pulls(objective):
    return [(a.of, a.to, a.weight, a.divergence) for a in objective.table.alignments]


class TestDistance:
    def test_it_is_equation_5(self):
        """The root of the summed squares of means' and standard deviations' gaps; not its square, nor of variances."""
        model, guide = pair("mapper")
        batch = Batch.of(data())
        with common_noise():
            bound = variational_alignment(("a", "c"), ["c"], part="mapper").evaluate(model, guide, batch)
        own = guide.posterior(batch.given(["c"]))
        with common_noise():
            inner = guide.posterior(batch.given(["a"])).inner.rsample()
            mapped = guide.posterior(batch.given(["a"])).given(inner)
        by_hand = [
            (
                sum((mapped.mean[b, d] - own.mean[b, d]) ** 2 for d in range(2))
                + sum((mapped.stddev[b, d] - own.stddev[b, d]) ** 2 for d in range(2))
            )
            ** 0.5
            for b in range(6)
        ]
        torch.testing.assert_close(bound.alignments[0][0], torch.stack(by_hand))

    def test_its_gradient_is_finite_at_zero_distance(self):
        q = pair("poe")[1].posterior(Batch.of(data()))
        loc, scale = (part.detach().clone().requires_grad_() for part in (q.mean, q.stddev))
        p = torch.distributions.Independent(torch.distributions.Normal(loc, scale), 1)
        distance = wasserstein(p, q, q.mean)
        assert (distance == 0).all()
        distance.sum().backward()
        assert torch.isfinite(loc.grad).all()
        assert torch.isfinite(scale.grad).all()

    def test_a_mapper_at_zero_distance_trains(self):
        """All of z's Gaussians are one and the same."""
        model, guide = pair("mapper")
        with torch.no_grad():
            heads = [guide.lower.heads["c"], *(m.vd[-1] for m in guide.mappers.values())]
            for head in heads:
                head.linear.weight.zero_()
                head.linear.bias.fill_(0.3)
        loss = variational_alignment(("a", "b", "c"), ["c"], part="mapper", distance=2.0)(model, guide)
        bound = loss.bound(Batch.of(data()))
        assert bound.parts()["alignment/a|c"] < 1e-6
        bound.loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in loss.parameters() if p.grad is not None)


class TestParts:
    def test_of_one_source(self):
        given = {"beta": 0.5, "beta_mapper": 0.2, "distance": 3.0}
        lower, mapped = (("c",), {"c": 2.0}, 0.5, 0.0), (("a",), {"c": 2.0}, 0.2, 0.0)
        pull = (("a",), ("c",), 3.0, wasserstein)
        for part, expected, distances in (
            ("branches", [lower], []),
            ("mapper", [mapped], [pull]),
            ("all", [lower, mapped], [pull]),
        ):
            objective = variational_alignment(("a", "c"), {"c": 2.0}, part=part, **given)
            assert rows(objective) == expected
            assert pulls(objective) == distances
            assert not objective.branches

    def test_of_several_sources(self):
        objective = variational_alignment(("c", "a", "b"), ["c"], onto="c", part="mapper")
        assert [t.given for t in objective.table.terms] == [("a",), ("b",), ("a", "b")]
        assert [(a.of, a.to) for a in objective.table.alignments] == [(s, ("c",)) for s in (("a",), ("b",), ("a", "b"))]

    def test_what_feeds_the_lower_decoder_at_the_end(self):
        for source, own, mapped in (("both", ["c"], ["c"]), ("own", ["c"], []), ("mapped", [], ["c"])):
            objective = variational_alignment(("a", "c"), ["c"], decoded_from=source)
            assert [list(t.decode) for t in objective.table.terms] == [own, mapped]
        (only,) = variational_alignment(("a", "c"), ["c"], part="mapper", decoded_from="own").table.terms
        assert list(only.decode) == ["c"]  # there is nothing else to decode in this phase

    def test_kl_on_either_gaussian(self):
        """By option, and the value is the closed form of the one that was chosen."""
        model, guide = pair("mapper")
        batch, values = Batch.of(data()), {}
        for kl_of in ("mapped", "intermediate"):
            for beta in (0.0, 1.0):
                objective = variational_alignment(
                    ("a", "c"), ["c"], part="mapper", kl_of=kl_of, beta_mapper=beta, num_particles=1
                )
                with common_noise():
                    values[kl_of, beta] = objective.evaluate(model, guide, batch).per_sample
        posterior = guide.posterior(batch.given(["a"]))
        with common_noise():
            mapped = posterior.given(posterior.inner.rsample())
        place = guide.sources.index("a")
        inner = posterior.inner.base_dist
        for kl_of, loc, scale in (
            ("mapped", mapped.mean, mapped.stddev),
            ("intermediate", inner.loc[:, place], inner.scale[:, place]),
        ):
            by_hand = 0.5 * (scale**2 + loc**2 - (scale**2).log() - 1).sum(-1)  # eq. 1
            torch.testing.assert_close(values[kl_of, 0.0] - values[kl_of, 1.0], by_hand)

    def test_the_intermediates_kl_wants_a_mapper(self):
        objective = variational_alignment(("a", "b"), ["a"], kl_of="intermediate")
        with pytest.raises(IncompatibleError, match=r"variational_alignment pays a KL .* PoE draws nothing there"):
            objective.check(*pair("poe"))
        objective.check(*pair("mapper"))
        with pytest.raises(ValueError, match="kl_inner has no place in an importance weight"):
            Objective(objective.table, importance_weighted=True)
        assert "| given | a | KL | inner KL | weight |" in str(objective)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"part": "some"}, "part: expected one of"),
            ({"kl_of": "upper"}, "kl_of: expected one of"),
            ({"decoded_from": "a"}, "decoded_from: expected one of"),
            ({"onto": "y"}, r"onto: expected one of the inputs \['a', 'c'\], got 'y'"),
            ({"upper_targets": "cc"}, "upper_targets: expected a list of names"),
            ({"distance": -1.0}, "not negative"),
            ({"beta_mapper": None, "beta": -1.0}, "not negative"),
        ],
    )
    def test_what_has_no_meaning_is_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            variational_alignment(("a", "c"), ["c"], **options)

    def test_upper_branch_is_left_out_of_the_mappers_part(self):
        kinds = {p: variational_alignment(("a", "c"), ["c"], part=p, upper_targets=["c"]) for p in ("mapper", "all")}
        assert not kinds["mapper"].branches
        assert set(kinds["all"].branches) == {"upper"}
        assert "branch upper, upper:" in str(kinds["all"])


class TestCrossVAE:
    def test_pairs_by_hand(self):
        """CM-VAE of the paper's food: image to image, ingredients to ingredients, image to ingredients."""
        objective = crossvae(
            ("img", "ingr"),
            {"img": 0.1, "ingr": 1.0},
            beta=0.5,
            pairs=[("img", "img"), ("ingr", "ingr"), ("img", "ingr")],
        )
        assert rows(objective) == [
            (("img",), {"img": 0.1, "ingr": 1.0}, 1.0, 0.0),  # two pairs pay a KL each
            (("ingr",), {"ingr": 1.0}, 0.5, 0.0),
        ]
        assert [len(t.decode) for t in crossvae(("a", "b"), TARGETS).table.terms] == [3, 3]

    def test_it_is_the_sum_of_the_pairs_bounds(self):
        model, guide = pair("poe")
        pairs, batch = [("a", "b"), ("b", "y"), ("a", "y")], Batch.of(data())
        with common_noise():
            whole = crossvae(("a", "b"), TARGETS, beta=0.3, pairs=pairs).evaluate(model, guide, batch).loss
            each = [
                crossvae(("a", "b"), TARGETS, beta=0.3, pairs=[p]).evaluate(model, guide, batch).loss for p in pairs
            ]
        torch.testing.assert_close(whole, sum(each))

    @pytest.mark.parametrize("pairs", [[], [("a", "q")], [("y", "a")], [("a", "b"), ("a", "b")], ["abc"]])
    def test_other_pairs_are_refused(self, pairs):
        with pytest.raises(ValueError, match="pairs: expected"):
            crossvae(("a", "b"), TARGETS, pairs=pairs)


class TestCADA:
    def test_by_hand(self):
        objective = cada(("a", "b"), {"a": 2.0, "b": 1.0, "y": 4.0}, beta=0.5, gamma=0.25, delta=3.0)
        assert rows(objective) == [
            (("a",), {"a": 2.0, "b": 0.25, "y": 1.0}, 0.5, 0.0),
            (("b",), {"a": 0.5, "b": 1.0, "y": 1.0}, 0.5, 0.0),
        ]
        assert pulls(objective) == [(("a",), ("b",), 3.0, wasserstein)]
        assert len(cada(("a", "b", "c"), ["a"]).table.alignments) == 3

    def test_the_published_warmup(self):
        """Each weight on its own: by 0.0027, 0.54 and 0.044 an epoch, from epochs 0, 6 and 21 on."""
        weights = warmup(steps_per_epoch=10)
        at = {e: {n: w(10 * e) for n, w in weights.items()} for e in (0, 6, 7, 21, 22, 75, 93, 100)}
        assert at[0] == {"beta": 0.0, "gamma": 0.0, "delta": 0.0}
        assert at[6]["delta"] == 0
        assert at[7]["delta"] == pytest.approx(8.13 / 16)
        assert at[21]["gamma"] == 0
        assert at[22]["gamma"] == pytest.approx(2.37 / 54)
        assert at[22]["delta"] == 8.13
        assert at[100] == {"beta": 0.25, "gamma": 2.37, "delta": 8.13}
        table = cada(("a", "b"), {"a": 2.0, "b": 1.0}, **weights).table
        assert table.terms[1].decode["a"](750) == pytest.approx(4.74)
        for steps in (0, -1, float("nan")):
            with pytest.raises(ValueError, match="steps_per_epoch"):
                warmup(steps)

    def test_two_schedules_do_not_multiply(self):
        rising = Schedule(0.0, 1.0, steps=3)
        assert cada(("a", "b"), {"a": rising, "b": 1.0}, gamma=0.5).table.terms[1].decode["a"](3) == 0.5
        with pytest.raises(ValueError, match="weight of 'a' and gamma are both schedules"):
            cada(("a", "b"), {"a": rising, "b": 1.0}, gamma=rising)

    def test_distances_compare_single_gaussians(self):
        with pytest.raises(IncompatibleError, match="cada compares single Gaussians"):
            cada(("a", "b"), ["y"]).check(*pair("moe"))


def test_statistics_of_the_batch_take_several_draws():
    """The mapper's posterior is another one for every particle; the penalty is their mean."""
    model, guide = pair("mapper")
    objective = with_cross_correlation(
        Objective(Table([Term(("a",), {"y": 1.0})], [Alignment(("a",), ("c",))]), num_particles=3),
        1.0,
        pairs=[(("a",), ("c",))],
    )
    bound = objective.evaluate(model, guide, Batch.of(data()))
    assert [value.shape for value, _ in bound.alignments] == [(6,), (6,)]
    assert torch.isfinite(bound.loss)
