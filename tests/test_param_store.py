"""Pyro's parameter store: what SVI trains can be saved there, loaded, and is never left unused in silence."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro import infer
from support import LATENT, build, data, modalities, pair
from torch import nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, take_from_store
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Normal

BATCH = Batch.of(data())


def steps(model, guide, bound=None, number=1):
    stepper = infer.SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), loss=bound or infer.Trace_ELBO())
    return [stepper.step(BATCH) for _ in range(number)]


def state(*programs):
    return [p.detach().clone() for program in programs for p in program.parameters()]


@pytest.fixture
def saved(tmp_path):
    """Train a pair, save the store, and clear it; return the file and the trained pair."""
    model, guide = pair("poe")
    steps(model, guide)
    pyro.get_param_store().save(tmp_path / "weights")
    pyro.clear_param_store()
    return tmp_path / "weights", model, guide


@pytest.mark.parametrize("ours", [True, False])
def test_a_loaded_store_is_taken_and_trained_further(saved, ours):
    path, trained, reader = saved
    pyro.get_param_store().load(path)
    model, guide = pair("poe")
    take_from_store(model, guide)
    for new, old in zip(state(model, guide), state(trained, reader), strict=True):
        assert torch.equal(new, old)
    before = state(model, guide)
    steps(model, guide, build("mixing", guide) if ours else None)
    moved = [not torch.equal(new, old) for new, old in zip(state(model, guide), before, strict=True)]
    assert sum(moved) >= len(moved) - 2 * ours  # one decoder is no target of ours


def test_pyros_own_way_of_taking_it_works_as_well(saved):
    path, trained, _ = saved
    pyro.get_param_store().load(path)
    model, guide = pair("poe")
    for name, module in (("model", model), ("guide", guide)):
        pyro.module(name, module, update_module_params=True)
    assert torch.equal(model.decoders["a"].weight, trained.decoders["a"].weight)
    steps(model, guide)


RUNS = {
    "step": lambda m, g: steps(m, g),
    "step of ours": lambda m, g: steps(m, g, build("mixing", g)),
    "evaluation": lambda m, g: infer.Trace_ELBO().loss(m, g, BATCH),
    "evaluation of ours": lambda m, g: build("mixing", g).loss(m, g, BATCH),
    "Predictive": lambda m, g: infer.Predictive(m, guide=g, num_samples=2)(BATCH),
    "NUTS": lambda m, g: infer.MCMC(infer.NUTS(m), num_samples=1, disable_progbar=True).run(BATCH),
}


@pytest.mark.parametrize("run", RUNS)
def test_a_loaded_store_is_not_left_unused(saved, run):
    path, *_ = saved
    pyro.get_param_store().load(path)
    model, guide = pair("poe")
    with pytest.raises(RuntimeError, match="take_from_store"):
        RUNS[run](model, guide)
    pyro.clear_param_store()
    RUNS[run](model, guide)


def test_what_does_not_run_under_pyro_leaves_the_store_alone(saved):
    path, *_ = saved
    pyro.get_param_store().load(path)
    model, guide = pair("poe")
    assert torch.isfinite(build("mixing", guide)(model, guide)(BATCH))
    pyro.clear_param_store()
    infer.Trace_ELBO()(model, guide)(BATCH).backward()  # the form for optimisers of torch
    infer.Predictive(model, guide=guide, num_samples=2)(BATCH)
    assert len(pyro.get_param_store()) == 0


def test_the_store_may_be_cleared_between_steps():
    model, guide = pair("poe")
    steps(model, guide)
    pyro.clear_param_store()
    before = state(model, guide)
    steps(model, guide)
    assert all(not torch.equal(new, old) for new, old in zip(state(model, guide), before, strict=True))


def tied():
    """Return a pair of which two decoders are one, and an encoder is part of both sides."""
    shared, encoder = nn.Linear(LATENT, 3), nn.Linear(3, 5)
    parts = [Modality(n, Normal((3,), scale=0.5), shared, encoder) for n in ("a", "a2")]
    return MultimodalVAE(parts, LATENT), PoE(parts, LATENT)


def test_what_is_shared_stays_shared(tmp_path):
    batch = Batch.of({"a": data()["a"], "a2": data()["a"]})
    model, guide = tied()
    infer.SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), infer.Trace_ELBO()).step(batch)
    pyro.get_param_store().save(tmp_path / "weights")
    pyro.clear_param_store()
    pyro.get_param_store().load(tmp_path / "weights")
    again, reader = tied()
    take_from_store(again, reader)
    assert again.decoders["a"].weight is again.decoders["a2"].weight
    for new, old in zip(state(again, reader), state(model, guide), strict=True):
        assert torch.equal(new, old)
    infer.SVI(again, reader, pyro.optim.Adam({"lr": 1e-2}), infer.Trace_ELBO()).step(batch)


def test_a_store_of_another_pair_is_refused_and_changes_nothing(saved):
    path, *_ = saved
    pyro.get_param_store().load(path)
    parts = modalities()
    others = {
        "expected shape": MultimodalVAE([wider(part) for part in parts], LATENT),
        "it lacks": MultimodalVAE([*parts, Modality("more", Normal((1,)), nn.Linear(LATENT, 1))], LATENT),
        "which the model has not": MultimodalVAE(parts[:2], LATENT),
    }
    for message, model in others.items():
        before = state(model)
        with pytest.raises(ValueError, match=message):
            take_from_store(model)
        assert all(torch.equal(new, old) for new, old in zip(state(model), before, strict=True))


def wider(part):
    """Return the modality with a decoder whose parameters have the same names and other shapes."""
    decoder = nn.Linear(LATENT + 1, part.likelihood.event_shape[0])
    return Modality(part.name, part.likelihood, decoder, part.encoder, part.features)


def test_averages_are_not_in_the_store_and_this_is_said(tmp_path):
    def make():
        decoder = nn.Sequential(nn.Linear(LATENT, 3), nn.BatchNorm1d(3))
        parts = [Modality("a", Normal((3,)), decoder, nn.Linear(3, 5))]
        return MultimodalVAE(parts, LATENT), PoE(parts, LATENT)

    infer.SVI(*make(), pyro.optim.Adam({"lr": 1e-2}), infer.Trace_ELBO()).step(Batch.of({"a": data()["a"]}))
    with pytest.warns(UserWarning, match="running_mean"):
        take_from_store(*make())


def test_a_parameter_of_which_the_store_would_train_a_copy_is_refused():
    model, guide = pair("poe")
    weight = model.decoders["a"].weight
    model.decoders["a"].weight = nn.Parameter(weight.detach().t().contiguous().t())
    for bound in (None, build("mixing", guide)):
        with pytest.raises(ValueError, match="not contiguous"):
            steps(model, guide, bound)


def test_frozen_parameters_stay_out_of_it_and_as_they_are():
    model, guide = pair("poe")
    guide.encoders.requires_grad_(False)
    before = guide.encoders["a"].weight.clone()
    steps(model, guide)
    assert not any("encoders" in name for name in pyro.get_param_store())
    assert torch.equal(guide.encoders["a"].weight, before)
