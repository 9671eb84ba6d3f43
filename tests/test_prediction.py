"""Predictions and imputations, against the exact conditional of the linear-Gaussian model."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro.infer import Predictive
from support import LATENT, data, pair
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, guides, impute, predictive
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Heatmap, Normal, Pointcloud, Segmentation
from pyro_mmvae.networks import MLPDecoder

SUBSETS = [("a",), ("b", "c"), ("a", "b", "c"), ()]


@pytest.fixture
def exact(truth):
    """Return the model, a guide that is its exact posterior, and data."""
    guide = guides.load("poe")(truth.modalities(), truth.latent_dim).double()
    truth.set_exact_experts(guide)
    return truth.model(), guide, truth.sample(12, seed=3)


def conditional(truth, batch, given, name):
    """Return mean and standard deviation of x_name given x_given."""
    loc, scale = truth.posterior(batch.given(given))
    weight = truth.weight[name]
    variance = scale.square() @ weight.square().T + truth.noise[name] ** 2
    return loc @ weight.T + truth.bias[name], variance.sqrt()


@pytest.mark.parametrize("given", SUBSETS)
@pytest.mark.parametrize("name", ["a", "c"])
def test_the_exact_conditional(truth, exact, given, name):
    model, guide, batch = exact
    samples = 4000
    found = predictive(model, guide, batch, given=given, of=[name], num_samples=samples)
    mean, std = conditional(truth, batch, given, name)
    size = truth.sizes[name]
    assert found.mean[name].shape == found.std[name].shape == (12, size)
    assert found.quantiles[name].shape == (3, 12, size)
    assert found.draws[name].shape == (samples, 12, size)
    five = 5 / samples**0.5  # standard errors
    assert ((found.mean[name] - mean).abs() < five * std).all()
    assert ((found.std[name] / std - 1).abs() < five).all()
    assert ((found.draws[name].mean(0) - mean).abs() < five * std).all()
    assert ((found.draws[name].std(0) / std - 1).abs() < five).all()
    for level, quantile in zip(found.levels, found.quantiles[name], strict=True):
        expected = torch.distributions.Normal(mean, std).icdf(torch.tensor(level, dtype=torch.float64))
        assert ((quantile - expected).abs() < 3 * five * std).all()  # the density at 5 % is a fifth of a mode's


def test_missing_values_of_what_is_given(truth, exact):
    model, guide, batch = exact
    rows = torch.arange(12)
    batch = Batch.of(batch.data, {"a": rows % 2 == 0, "b": rows % 3 == 0})
    found = predictive(model, guide, batch, given=["a", "b"], of="c", num_samples=4000)
    mean, std = conditional(truth, batch, ["a", "b"], "c")
    assert ((found.mean["c"] - mean).abs() < 0.1 * std).all()
    assert ((found.std["c"] / std - 1).abs() < 0.1).all()


def test_defaults_seeds_and_generators(exact):
    model, guide, batch = exact
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (predictive(model, guide, batch, num_samples=7) for _ in range(2))
    other = predictive(model, guide, batch, num_samples=7, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert one.of == one.given == ("a", "b", "c")
    assert torch.equal(one.draws["a"], two.draws["a"])
    assert not torch.equal(one.draws["a"], other.draws["a"])
    assert not one.draws["a"].requires_grad


def test_memory_is_bounded_by_chunks(exact):
    model, guide, batch = exact
    seen = []
    for decoder in model.decoders.values():
        decoder.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for samples, rows in ((100, 50), (3, 10), (10, 1)):
        seen.clear()
        found = predictive(model, guide, batch, num_samples=samples, chunk_rows=rows, keep_draws=False)
        assert max(seen) <= rows
        assert found.draws == {}
        assert found.mean["a"].shape == (12, 3)
        assert sum(seen) == 3 * 12 * samples


def test_quantiles_are_those_of_torch(exact):
    model, guide, batch = exact
    levels = (0.0, 0.1, 0.33, 1.0)
    found = predictive(model, guide, batch, num_samples=11, levels=levels)
    expected = torch.quantile(found.draws["b"], torch.tensor(levels, dtype=torch.float64), dim=0)
    torch.testing.assert_close(found.quantiles["b"], expected)


@pytest.mark.parametrize("name", guides.available())
def test_every_guide(name):
    model, guide = pair(name)
    batch = Batch.of(data(), {"a": torch.arange(6) % 2 == 0})
    found = predictive(model, guide, batch, given=guide.inputs[:1], of=["b", "y"], num_samples=5)
    assert found.draws["y"].shape == (5, 6, 2)
    filled = impute(model, guide, batch)
    assert filled.observed["a"].all()
    only = predictive(model, guide, batch.only(["a"]), of=["y"], num_samples=5)  # the rest is not even in the batch
    assert only.mean["y"].shape == (6, 2)


KINDS = {
    "label": Categorical(3),
    "number": Categorical(4, one_hot=False),
    "map": Segmentation(3, (2, 4)),
    "flags": Bernoulli((5,)),
    "maps": Heatmap(2, (3, 4)),
    "cloud": Pointcloud(5, "mixture", 0.1, num_centres=4),
    "force": Normal((2,), "predicted"),
}


@pytest.fixture
def mixed():
    parts = [Modality(n, k, MLPDecoder(LATENT, k.param_shape, (4,))) for n, k in KINDS.items()]
    parts.append(Modality("a", encoder=nn.Linear(3, 5)))
    model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
    z = torch.randn(6, LATENT)
    values = {n: model.decode(z, n).sample() for n in model.names}
    rows = torch.arange(6)
    observed = {n: rows % 3 != i % 3 for i, n in enumerate(model.names)}
    return model, guide, Batch.of({**values, "a": torch.randn(6, 3)}, observed)


def test_every_kind_of_value(mixed):
    model, guide, batch = mixed
    found = predictive(model, guide, batch, num_samples=400)
    assert set(found.mean) == set(found.std) == set(found.quantiles) == {"label", "flags", "maps", "force"}
    assert set(found.draws) == set(KINDS)
    assert {n: tuple(p.shape) for n, p in found.probabilities.items()} == {"number": (6, 4), "map": (6, 2, 4, 3)}
    for name, likelihood in KINDS.items():
        assert found.draws[name].shape == (400, 6, *likelihood.event_shape)
    torch.testing.assert_close(found.mean["label"].sum(-1), torch.ones(6))
    counted = nn.functional.one_hot(found.draws["number"], 4).float().mean(0)
    assert (counted - found.probabilities["number"]).abs().max() < 0.15
    assert (found.draws["flags"].mean(0) - found.mean["flags"]).abs().max() < 0.15
    spread = found.draws["maps"].std(0)
    torch.testing.assert_close(found.std["maps"], spread, rtol=0.3, atol=0.0)


@pytest.mark.parametrize("how", ["mean", "draw"])
def test_what_is_imputed_can_be_generated(mixed, how):
    model, guide, batch = mixed
    filled = impute(model, guide, batch, how=how)
    for name in model.names:
        assert torch.equal(filled.filled[name], ~batch.observed[name])
        seen = batch.observed[name]
        assert torch.equal(filled.data[name][seen], batch.data[name][seen])
        assert filled.data[name].dtype == batch.data[name].dtype
        assert filled.observed[name].all()
        assert model.decode(torch.zeros(6, LATENT), name).support.check(filled.data[name]).all()
        score = model.decode(torch.zeros(6, LATENT), name).log_prob(filled.data[name])
        assert torch.isfinite(score).all()
    assert torch.equal(filled.data["a"], batch.data["a"])


def test_imputed_means_are_exact(truth, exact):
    model, guide, batch = exact
    holes = Batch.of(batch.data, {"b": torch.arange(12) > 3, "c": torch.arange(12) > 6})
    filled = impute(model, guide, holes, num_samples=4000)
    for name in ("b", "c"):
        mean, std = conditional(truth, holes, ["a", "b", "c"], name)
        gone = filled.filled[name]
        assert ((filled.data[name] - mean)[gone].abs() < 0.1 * std[gone]).all()
    draws = torch.stack([impute(model, guide, holes, how="draw", seed=s).data["c"][0] for s in range(300)])
    mean, std = conditional(truth, holes, ["a", "b", "c"], "c")
    assert ((draws.mean(0) - mean[0]).abs() < 0.3 * std[0]).all()
    assert ((draws.std(0) / std[0] - 1).abs() < 0.25).all()


def test_modalities_that_the_batch_does_not_hold_are_added_if_asked_for(exact):
    model, guide, batch = exact
    less = batch.only(["a"])
    assert impute(model, guide, less).names == ("a",)
    filled = impute(model, guide, less, of=["a", "c"])
    assert filled.data["c"].shape == (12, 4)
    assert filled.filled["c"].all()
    assert not filled.filled["a"].any()
    assert torch.equal(filled.data["a"], batch.data["a"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": ["q"]}, r"the model does not decode \['q'\]"),
        ({"of": []}, "one or more distinct"),
        ({"of": ["a", "a"]}, "one or more distinct"),
        ({"given": ["q"]}, r"does not encode \['q'\]"),
        ({"given": "forse"}, r"does not encode \['forse'\]"),
        ({"num_samples": 0}, "num_samples: expected at least 1"),
        ({"chunk_rows": 0}, "chunk_rows: expected at least 1"),
        ({"levels": [0.5, 1.5]}, r"levels: expected numbers in \[0, 1\], got \[1.5\]"),
    ],
)
def test_bad_options_are_refused(exact, options, message):
    with pytest.raises(ValueError, match=message):
        predictive(*exact, **options)
    with pytest.raises(ValueError, match="how: expected 'mean' or 'draw'"):
        impute(*exact, how="median")
    model, guide, batch = exact
    with pytest.raises(ValueError, match="empty batch"):
        predictive(model, guide, batch[:0])


def energies():
    likelihood = Pointcloud(5, "energy")
    parts = [
        Modality("a", Normal((3,)), nn.Linear(LATENT, 3), nn.Linear(3, 5)),
        Modality("cloud", likelihood, MLPDecoder(LATENT, (5, 3), (4,))),
    ]
    return MultimodalVAE(parts, LATENT), PoE(parts, LATENT)


def test_energies_are_refused():
    model, guide = energies()
    batch = Batch.of({"a": torch.randn(4, 3), "cloud": torch.randn(4, 5, 3)}, {"cloud": torch.arange(4) > 1})
    with pytest.raises(IncompatibleError, match=r"\['cloud'\] are energies"):
        predictive(model, guide, batch)
    with pytest.raises(IncompatibleError, match=r"\['cloud'\] are energies"):
        impute(model, guide, batch)
    assert predictive(model, guide, batch, of=["a"]).of == ("a",)
    with pytest.raises(IncompatibleError, match="'cloud' is an energy and cannot be drawn from; leave it out"):
        Predictive(model, guide=guide, num_samples=2)(batch)
    assert "cloud" not in Predictive(model, guide=guide, num_samples=2)(batch.only(["a"]))


# -- Pyro's own tool


@pytest.mark.parametrize("parallel", [False, True])
def test_predictive_of_pyro_generates_what_is_hidden_missing_or_absent(truth, exact, parallel):
    model, guide, batch = exact
    # "b" is hidden, "c" is missing from some, and "a" is all there is in the second batch
    batch = Batch.of(batch.data, {"c": torch.arange(12) > 5})
    count, near = (2000, 0.15) if parallel else (200, 0.45)
    program = Predictive(model, guide=guide, num_samples=count, parallel=parallel)
    for seen in (batch.given(["a"]), batch.only(["a"])):
        draws = {n: v.reshape(count, 12, -1) for n, v in program(seen).items() if n != "z"}
        assert set(draws) == {"a", "b", "c"}
        assert torch.equal(draws["a"][0], batch.data["a"])
        for name in ("b", "c"):
            mean, std = conditional(truth, batch, ["a"], name)
            assert ((draws[name].mean(0) - mean).abs() < near * std).all()
            assert ((draws[name].std(0) / std - 1).abs() < near).all()
    draws = Predictive(model, guide=guide, num_samples=5, return_sites=("c",), parallel=parallel)(batch)["c"]
    draws = draws.reshape(5, 12, -1)
    assert torch.equal(draws[0, 6:], batch.data["c"][6:])
    assert not (draws[:, :6] == 0).any()
    assert not torch.equal(draws[0, :6], draws[1, :6])


def test_predictive_of_pyro_generates_every_kind_of_value(mixed):
    model, guide, batch = mixed
    draws = Predictive(model, guide=guide, num_samples=3)(batch)
    for name, likelihood in KINDS.items():
        assert draws[name].shape == (3, 6, *likelihood.event_shape)
        seen = batch.observed[name]
        assert torch.equal(draws[name][0][seen], batch.data[name][seen])


def test_the_density_of_the_model_is_as_before(mixed):
    """Outside of predictions what is missing is masked, not generated."""
    model, _, batch = mixed
    with pyro.poutine.trace() as tracer:
        model(batch)
    for name in model.names:
        assert tracer.trace.nodes[name]["is_observed"]
        assert torch.equal(tracer.trace.nodes[name]["value"], batch.data[name])
