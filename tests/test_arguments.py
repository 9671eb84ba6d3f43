"""Names, counts and weights: what has no meaning is refused at every door, with what is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import LATENT, TARGETS, data, modalities, pair
from torch import nn

from pyro_mmvae import Alignment, Batch, Modality, MultimodalVAE, Objective, Schedule, Table, Term, guides, objectives
from pyro_mmvae.cross_correlation import with_cross_correlation
from pyro_mmvae.estimators import (
    annealed_log_likelihood,
    bidirectional,
    conditional_log_likelihood,
    elbos,
    log_likelihood,
    log_likelihoods,
    to_inference_data,
)
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.m2vae import m2vae
from pyro_mmvae.objectives.telbo import telbo

IMPOSSIBLE = [
    "",
    "rgb.left",
    "z",
    "data",
    "term",
    "stratum",
    "particle",
    "_INPUT",
    "_RETURN",
    "keys",
    "values",
    "items",
]
IMPOSSIBLE += ["type", "pop", "update", "training", "forward", "_modules", None, 3, ("a",)]
ALL = objectives.available()
ABC = ("a", "b", "c")


def estimates(names):
    """Every way to hand names to an estimator."""
    model, guide = pair("poe")
    batch = Batch.of(data())
    return {
        "of": lambda: log_likelihood(model, guide, batch, of=names, num_samples=5),
        "given": lambda: log_likelihood(model, guide, batch, given=names, num_samples=5),
        "several of": lambda: log_likelihoods(model, guide, batch, of=[names], num_samples=5),
        "conditional of": lambda: conditional_log_likelihood(model, guide, batch, of=names, on=["c"], num_samples=5),
        "conditional on": lambda: conditional_log_likelihood(model, guide, batch, of=["c"], on=names, num_samples=5),
        "annealed of": lambda: annealed_log_likelihood(model, batch, of=names),
        "bidirectional of": lambda: bidirectional(model, 2, of=names),
        "arviz given": lambda: to_inference_data(model, guide, batch, given=names, num_samples=5),
        "elbo given": lambda: elbos(model, guide, batch, [(names, ("y",))]),
        "elbo of": lambda: elbos(model, guide, batch, [(("a",), names)]),
    }


class TestNames:
    @pytest.mark.parametrize("name", IMPOSSIBLE)
    @pytest.mark.parametrize(
        "door",
        [
            lambda n: Modality(n, Normal((2,)), nn.Linear(2, 2)),
            lambda n: Batch.of({n: torch.zeros(2, 1)}),
            lambda n: Term((n,), {"y": 1.0}),
            lambda n: Term(("a",), {n: 1.0}),
            lambda n: Alignment((n,), ("a",)),
            lambda n: Alignment(("a",), (n,)),
            lambda n: extended([n], ["y"]),
            lambda n: extended(["a"], [n]),
            lambda n: extended(["a"], {n: 1.0}),
        ],
    )
    def test_what_pyro_or_torch_cannot_hold(self, name, door):
        with pytest.raises(ValueError, match=r"expected a string|taken by|an attribute of torch"):
            door(name)

    @pytest.mark.parametrize("name", ["rgb", "rgb_left", "rgb-left", "left camera", "x", "données", "model", "guide"])
    def test_what_they_can_hold_works(self, name):
        parts = [Modality(name, Normal((2,)), nn.Linear(LATENT, 2), nn.Linear(2, 3))]
        model = MultimodalVAE(parts, LATENT)
        for guide_name in guides.available():
            guide = guides.load(guide_name)(parts, LATENT)
            extended([name], [name])(model, guide)(Batch.of({name: torch.zeros(3, 2)})).backward()

    @pytest.mark.parametrize("build", [MultimodalVAE, *(guides.load(n) for n in guides.available())])
    def test_two_modalities_of_one_name(self, build):
        parts = modalities()
        with pytest.raises(ValueError, match=r"distinct names, got \['a', 'b', 'c', 'y', 'a'\]"):
            build([*parts, parts[0]], LATENT)
        with pytest.raises(TypeError, match=r"expected a list of Modality, got \['str'\]"):
            build(["a"], LATENT)

    @pytest.mark.parametrize("view", ["given", "only"])
    def test_views_of_a_batch(self, view):
        batch = Batch.of({"rgb": torch.ones(2, 1), "r": torch.ones(2, 1), "g": torch.ones(2, 1)})
        looked_at = getattr(batch, view)("rgb")  # one name, not three letters
        assert {n for n, mask in looked_at.observed.items() if mask.all()} == {"rgb"}
        for names in ("rg", ["rgb", "smell"]):
            with pytest.raises(ValueError, match=rf"{view}: unknown names .*known names are \['rgb', 'r', 'g'\]"):
                getattr(batch, view)(names)
        with pytest.raises(ValueError, match=r"each name once, got \['r'\] more than once"):
            getattr(batch, view)(["r", "g", "r"])
        with pytest.raises(ValueError, match="expected a list of names, got None"):
            getattr(batch, view)(None)

    def test_masks_of_a_batch(self):
        batch = Batch.of({"x": torch.ones(2, 1)})
        with pytest.raises(ValueError, match=r"unknown names \['y'\]; the known names are \['x'\]"):
            batch.seen({"y": torch.ones(2, dtype=torch.bool)})
        with pytest.raises(ValueError, match=r"expected bool tensors, got \{'x': 'torch.float32'\}"):
            batch.seen({"x": torch.ones(2)})
        with pytest.raises(ValueError, match="expected a mapping by names of modalities, got list"):
            batch.seen(["x"])
        with pytest.raises(TypeError, match=r"got the string 'x'; its `data` has \['x'\]"):
            batch["x"]

    @pytest.mark.parametrize("name", ALL)
    def test_objectives(self, name):
        build = objectives.load(name)
        with pytest.raises(ValueError, match=r"inputs: .* got the string 'abc'; write \['abc'\]"):
            build("abc", TARGETS)
        with pytest.raises(ValueError, match="targets: expected a list of names, got the string 'aby'"):
            build(ABC, "aby")
        with pytest.raises(ValueError, match=r"inputs: expected each name once, got \['a'\]"):
            build(("a", "b", "a"), TARGETS)
        with pytest.raises(ValueError, match=r"targets: expected each name once, got \['y'\]"):
            build(ABC, ["a", "b", "c", "y", "y"])
        with pytest.raises(ValueError, match="inputs: expected at least one name"):
            build((), TARGETS)

    @pytest.mark.parametrize(
        ("given", "of", "to"), [("abc", ("a",), ("b",)), (("a",), "ab", ("b",)), (("a",), ("a",), "ab")]
    )
    def test_rows_and_alignments(self, given, of, to):
        with pytest.raises(ValueError, match="expected a list of names, got the string"):
            Table([Term(given, {"y": 1.0})], [Alignment(of, to)])
        with pytest.raises(ValueError, match="expected a list of names, got the string"):
            with_cross_correlation(extended(ABC, ["y"]), 1.0, pairs=[(of, to)] if "ab" in (of, to) else [("ab", "c")])

    def test_lists_are_rows_too(self):
        assert Term(["a", "b"], {"y": 1.0}).given == ("a", "b")
        assert Table([Term(["a"], {"y": 1.0})], [Alignment(["a"], ["b"])]).inputs == ("a", "b")

    @pytest.mark.parametrize("door", estimates(()))
    def test_estimators(self, door):
        with pytest.raises(ValueError, match=r"got the string 'ab'|list of lists of names, got \['ab'\]"):
            estimates("ab")[door]()
        with pytest.raises(ValueError, match=r"\['smell'\].*'a', 'b', 'c'"):
            estimates(["smell"])[door]()
        with pytest.raises(ValueError, match=r"each name once, got \['a'\]"):
            estimates(["a", "a"])[door]()

    def test_a_model_says_what_it_decodes(self):
        model, _ = pair("poe")
        for ask in (model.likelihood, lambda n: model.decode(torch.zeros(1, LATENT), n)):
            with pytest.raises(
                ValueError, match=r"unknown names \['smell'\]; the known names are \['a', 'b', 'c', 'y'\]"
            ):
                ask("smell")

    def test_mappings_of_weights(self):
        with pytest.raises(ValueError, match=r"single_weights: unknown names \['smell'\]"):
            telbo(ABC, ABC, single_weights={"smell": 1.0})
        with pytest.raises(ValueError, match=r"beta: expected weights by size of a subset, from 1 to 3, got \[4\]"):
            m2vae(ABC, ABC, beta={4: 1.0})
        with pytest.raises(ValueError, match="decode of a term: expected a list of names"):
            Term(("a",), "rgb")


WRONG = [math.nan, math.inf, -math.inf, -1.0, "1", None, torch.tensor(1.0)]


class TestNumbers:
    @pytest.mark.parametrize("weight", WRONG)
    @pytest.mark.parametrize("name", ALL)
    def test_weights_of_objectives(self, name, weight):
        build = objectives.load(name)
        with pytest.raises(ValueError, match=r"expected a (finite )?number"):
            build(ABC, TARGETS | {"c": 1.0}, beta=weight)
        with pytest.raises(ValueError, match=r"targets: weight of 'a': expected a (finite )?number"):
            build(ABC, TARGETS | {"c": 1.0, "a": weight})

    @pytest.mark.parametrize("weight", WRONG)
    def test_weights_of_rows(self, weight):
        for make in (
            lambda: Term(("a",), {"y": weight}),
            lambda: Term(("a",), {"y": 1.0}, kl=weight),
            lambda: Term(("a",), {"y": 1.0}, weight=weight),
            lambda: Alignment(("a",), ("b",), weight=weight),
            lambda: Schedule(weight, 1.0, steps=2),
            lambda: Schedule(1.0, weight, steps=2),
            lambda: Schedule(1.0, 2.0, steps=2) * weight,
            lambda: with_cross_correlation(extended(ABC, ["y"]), weight),
            lambda: telbo(ABC, ABC, single_weights=weight),
        ):
            with pytest.raises(ValueError, match=r"expected a (finite )?number"):
                make()

    @pytest.mark.parametrize("weight", [0, 1, 0.5, np.float32(0.5), np.float64(2.0), Schedule(0.0, 1.0, steps=3)])
    def test_weights_that_work(self, weight):
        model, guide = pair("poe")
        value = extended(ABC, {"a": weight, "y": 1}, beta=weight)(model, guide)(Batch.of(data()))
        assert torch.isfinite(value)

    @pytest.mark.parametrize("count", [0, -1, 1.0, 1.5, math.nan, "2", None, True])
    @pytest.mark.parametrize("name", ALL)
    def test_number_of_particles(self, name, count):
        with pytest.raises(ValueError, match="num_particles: expected"):
            objectives.load(name)(ABC, TARGETS | {"c": 1.0}, num_particles=count)

    @pytest.mark.parametrize("count", [-1, 1.5, math.nan, "2", True])
    def test_other_counts(self, count):
        model, guide = pair("poe")
        batch = Batch.of(data())
        for make, what in (
            (lambda: Schedule(0.0, 1.0, steps=count), "steps of a schedule"),
            (lambda: objectives.load("mvae")(ABC, ABC, num_subsets=count), "num_subsets"),
            (lambda: objectives.load("smvae")(ABC, ABC, num_subsets=count), "max_terms"),
            (lambda: objectives.load("mopoe")(ABC, ABC, max_terms=count), "max_terms"),
            (lambda: MultimodalVAE(modalities(), count), "latent_dim"),
            (lambda: guides.load("poe")(modalities(), count), "latent_dim"),
            (lambda: log_likelihood(model, guide, batch, num_samples=count), "num_samples"),
            (lambda: log_likelihood(model, guide, batch, num_samples=5, refine=count), "refine"),
            (lambda: bidirectional(model, count), "num_points"),
        ):
            with pytest.raises(ValueError, match=f"{what}: expected"):
                make()

    def test_whole_numbers_of_numpy_work(self):
        model, guide = pair("poe")
        count = np.int64(2)
        assert extended(ABC, ["y"], num_particles=count).num_particles == 2
        assert log_likelihood(model, guide, Batch.of(data()), num_samples=count, refine=count).num_samples == 2


class TestProducts:
    @pytest.mark.parametrize(
        "schedule", [Schedule(0.0, 2.0, steps=4, begin=1), Schedule(1e-3, 1.0, steps=4, geometric=True)]
    )
    @pytest.mark.parametrize("factor", [0.5, 3, np.float64(0.5), np.float32(0.5)])
    def test_a_schedule_times_a_number(self, schedule, factor):
        for product in (schedule * factor, factor * schedule):
            assert isinstance(product, Schedule)
            for step in range(7):
                assert product(step) == pytest.approx(float(factor) * schedule(step))

    def test_it_is_a_weight(self):
        beta = 0.5 * Schedule(1.0, 1.0, steps=1)
        model, guide = pair("poe")
        batch = Batch.of(data())
        losses = []
        for weight in (beta, 0.5):
            torch.manual_seed(0)
            losses.append(Objective(Table([Term(ABC, {"y": 1.0}, kl=weight)]))(model, guide)(batch))
        assert losses[0] == losses[1]
