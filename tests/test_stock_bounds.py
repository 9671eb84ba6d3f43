"""Bounds of Pyro on model and guide: each has the value and the gradients that it has there, or is refused."""

from __future__ import annotations

import logging

import pyro
import pyro.contrib.gp.kernels as kernels
import pyro.distributions as dist
import pytest
import torch
from pyro import infer
from support import LATENT, build, data, modalities, pair, with_pattern
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, MultimodalVAE, Objective, Table, Term, guides, predictive, priors
from pyro_mmvae.distributions.flow import FlowDistribution
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.guide import Guide
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians

logging.getLogger().setLevel(logging.WARNING)  # Pyro tells its guesses of plates
VECTORISED = {"num_particles": 3, "vectorize_particles": True, "max_plate_nesting": 1}
DENSITIES = {  # those that are log p(x) at the exact posterior, whatever is drawn
    "trace": infer.Trace_ELBO,
    "graph": infer.TraceGraph_ELBO,
    "enum": infer.TraceEnum_ELBO,
    "renyi": lambda **o: infer.RenyiELBO(alpha=0.3, **{"num_particles": 2, **o}),
}
TRAINED = {
    **DENSITIES,
    "mean field": infer.TraceMeanField_ELBO,
    "tail": lambda **o: infer.TraceTailAdaptive_ELBO(**VECTORISED),
    "mmd": lambda **o: infer.Trace_MMD(kernel=kernels.RBF(input_dim=6 * LATENT), **o),
    "energy distance": lambda **o: infer.EnergyDistance(prior_scale=1.0, num_particles=3),
    "wake": lambda **o: infer.ReweightedWakeSleep(insomnia=1.0, **{"num_particles": 2, **o}),
    "jit": infer.JitTrace_ELBO,
}
REFUSED_FOR_MIXTURES = {"enum", "mean field", "tail", "mmd", "energy distance"}
quiet = pytest.mark.filterwarnings("ignore:.*found no sample sites", "ignore:.*torch.jit", "ignore:.*trace might")


def svi(model, guide, bound):
    return infer.SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), loss=bound)


def weights(*programs):
    return {f"{type(m).__name__}.{n}": p.detach().clone() for m in programs for n, p in m.named_parameters()}


@quiet
@pytest.mark.parametrize("options", [{}, VECTORISED], ids=["one particle", "vectorised"])
@pytest.mark.parametrize("bound", DENSITIES)
def test_at_the_exact_posterior_every_bound_is_the_log_likelihood(truth: LinearGaussian, bound, options):
    parts = truth.modalities()
    model, guide = truth.model(), PoE(parts, truth.latent_dim).to(truth.dtype)
    truth.set_exact_experts(guide)
    batch = truth.sample(7)
    masks = {"a": torch.arange(7) % 2 == 0, "b": torch.arange(7) % 3 > 0, "c": torch.arange(7) > 5}  # one shows nothing
    batch = Batch.of(batch.data, masks)
    made = DENSITIES[bound](**options)
    assert made.loss(model, guide, batch) == pytest.approx(-truth.log_prob(batch).sum().item(), abs=1e-8)


@quiet
@pytest.mark.parametrize("guide_name", guides.available())
@pytest.mark.parametrize("bound", ["trace", "graph", "enum", "mean field"])
def test_bounds_are_ours_of_all_that_is_observed(guide_name, bound):
    """Sums over the batch of the row that sees everything and decodes everything."""
    model, guide = pair(guide_name)
    if guide.num_components > 1 and bound in REFUSED_FOR_MIXTURES:
        pytest.skip("refused")
    batch = with_pattern(Batch.of(data()))
    batch = batch[guide.observed(batch).any(-1)]  # ours leaves the others out
    everything = Objective(Table([Term(guide.inputs, dict.fromkeys(model.names, 1.0))]), num_particles=2000)
    with torch.no_grad():
        expected = everything.evaluate(model, guide, batch).loss.item() * batch.size
        made = TRAINED[bound](num_particles=2000, vectorize_particles=True, max_plate_nesting=1)
        got = made.loss(model, guide, batch)
    assert got == pytest.approx(expected, rel=0.02)


@quiet
@pytest.mark.parametrize("guide_name", guides.available())
@pytest.mark.parametrize("bound", TRAINED)
def test_svi_trains_every_parameter_or_refuses(guide_name, bound):
    model, guide = pair(guide_name)
    batch, before = Batch.of(data(), {"a": torch.arange(6) > 0}), weights(model, guide)
    stepper = svi(model, guide, TRAINED[bound]())
    try:
        for _ in range(2):
            stepper.step(batch=batch)
    except (IncompatibleError, NotImplementedError, ValueError):
        assert guide.num_components > 1
        assert bound in REFUSED_FOR_MIXTURES
        after = weights(model, guide)
        assert all(torch.equal(after[name], value) for name, value in before.items())
        return
    after = weights(model, guide)
    assert all(torch.isfinite(value).all() for value in after.values())
    stuck = {name for name in before if torch.equal(after[name], before[name])}
    assert not stuck - idle(model, guide, batch)


def idle(model, guide, batch):
    """Return the parameters that an objective of ours does not move either."""
    objective = Objective(Table([Term(guide.inputs, dict.fromkeys(model.names, 1.0))]))
    objective(model, guide)(batch).backward()
    named = [(f"{type(m).__name__}.{n}", p) for m in (model, guide) for n, p in m.named_parameters()]
    return {name for name, p in named if p.grad is None or not p.grad.abs().sum() > 0}


@pytest.mark.parametrize("bound", [infer.Trace_ELBO(), infer.RenyiELBO(num_particles=2)])
def test_what_is_missing_trains_no_decoder(bound):
    model, guide = pair("poe")
    batch = Batch.of(data(), {"b": torch.zeros(6, dtype=torch.bool)})
    before = model.decoders["b"].weight.clone()
    svi(model, guide, bound).step(batch)
    assert torch.equal(model.decoders["b"].weight, before)
    assert torch.isfinite(guide.encoders["b"].weight).all()


def test_a_mixture_is_not_trained_by_enumeration():
    model, guide = pair("moe")
    for bound in (infer.TraceTMC_ELBO(max_plate_nesting=1), infer.TraceEnum_ELBO(max_plate_nesting=1)):
        with pytest.raises(IncompatibleError, match="Trace_ELBO"):
            svi(model, guide, bound).step(Batch.of(data()))


def test_the_sleep_phase_is_refused():
    model, guide = pair("poe")
    with pytest.raises(IncompatibleError, match=r"insomnia=1\.0"):
        svi(model, guide, infer.ReweightedWakeSleep(insomnia=0.5)).step(Batch.of(data()))


# -- noise, flows, priors


@pytest.mark.parametrize("name", guides.available())
def test_every_particle_and_sample_of_a_guide_has_draws_of_its_own(name):
    _, guide = pair(name)
    batch = Batch.of(data(), {n: torch.zeros(6, dtype=torch.bool) for n in "abc"})  # one distribution for all
    with pyro.plate("particles", 4, dim=-2):
        z = guide(batch)
    assert len(torch.unique(z.detach().flatten(0, 1), dim=0)) == 4 * 6


@pytest.mark.parametrize("name", priors.available())
def test_every_particle_and_sample_of_a_prior_has_draws_of_its_own(name):
    parts = modalities()
    guide = guides.load("gpoe")(parts, LATENT)
    model = MultimodalVAE(parts, LATENT, prior=priors.load(name).of(guide, Batch.of(data())[:4]))
    with pyro.plate("particles", 4, dim=-2):
        z = model(Batch.of(data()))
    assert len(torch.unique(z.detach().flatten(0, 1), dim=0)) == 4 * 6


@pytest.mark.parametrize("bound", [infer.Trace_ELBO, infer.TraceMeanField_ELBO, infer.TraceGraph_ELBO])
@pytest.mark.parametrize("name", [n for n in priors.available() if not priors.load(n).standard])
def test_priors_are_trained(name, bound):
    parts = modalities()
    guide = guides.load("set")(parts, LATENT)
    model = MultimodalVAE(parts, LATENT, prior=priors.load(name).of(guide, Batch.of(data())[:4]))
    before = weights(model.prior)
    svi(model, guide, bound()).step(Batch.of(data()))
    assert any(not torch.equal(value, before[n]) for n, value in weights(model.prior).items())
    assert all(torch.isfinite(value).all() for value in weights(model, guide).values())


class FlowGuide(Guide):
    """A posterior that has no mean in closed form; with zuko's `sample` it has none of Pyro's methods either."""

    def __init__(self, parts, latent_dim, zuko=False):
        super().__init__(parts, latent_dim)
        import zuko as library

        self.zuko, width = zuko, sum(self.feature_sizes.values())
        self.flow = library.flows.NSF(latent_dim, context=width, transforms=1, hidden_features=(8,))
        self.linear = nn.Linear(width, latent_dim)

    def posterior(self, batch):
        seen = self.observed(batch)
        features = torch.cat([f * seen[..., i : i + 1] for i, f in enumerate(self.features(batch))], -1)
        if self.zuko:
            return FlowDistribution(self.flow(features))
        base = dist.Normal(self.linear(features), 1.0).to_event(1)
        return dist.TransformedDistribution(base, [dist.transforms.TanhTransform()])


@pytest.mark.parametrize("zuko", [False, True])
class TestFlows:
    def make(self, zuko):
        parts = modalities()
        return MultimodalVAE(parts, LATENT), FlowGuide(parts, LATENT, zuko)

    def test_they_are_trained_by_pyro_and_by_objectives(self, zuko):
        for bound in (infer.Trace_ELBO(), infer.Trace_ELBO(**VECTORISED), infer.TraceMeanField_ELBO(), None):
            pyro.clear_param_store()
            model, guide = self.make(zuko)
            before = weights(guide)
            svi(model, guide, bound or build("mixing", guide)).step(Batch.of(data()))
            after = weights(guide)
            used = "flow" if zuko else "linear"
            assert all(not torch.equal(after[n], before[n]) for n in after if "encoders" in n or used in n)

    def test_rows_and_particles_have_draws_of_their_own(self, zuko):
        _, guide = self.make(zuko)
        batch = Batch.of(data(), {n: torch.zeros(6, dtype=torch.bool) for n in "abc"})
        with pyro.plate("particles", 4, dim=-3), pyro.plate("rows", 2, dim=-2):
            z = guide(batch)
        assert z.shape == (4, 2, 6, LATENT)
        assert len(torch.unique(z.detach().flatten(0, 2), dim=0)) == 4 * 2 * 6

    def test_numbers_need_no_mean_and_points_say_what_to_write(self, zuko):
        model, guide = self.make(zuko)
        batch = Batch.of(data())
        assert torch.isfinite(log_likelihood(model, guide, batch, num_samples=20).value).all()
        assert predictive(model, guide, batch, of="y", num_samples=4).draws["y"].shape == (4, 6, 2)
        assert infer.Predictive(model, guide=guide, num_samples=4)(batch.only("a"))["y"].shape == (4, 6, 2)
        with pytest.raises(IncompatibleError, match="override `point`"):
            guide.point(batch)


# -- further sites


class Calibrated(MultimodalVAE):
    """A model with a latent variable of its own."""

    def forward(self, batch, prior=None):
        gain = pyro.sample("gain", dist.LogNormal(0.0, 0.1))
        pyro.deterministic("log_gain", gain.log())
        return super().forward(batch, prior)


class CalibratedGuide(PoE):
    """Its posterior."""

    def forward(self, batch):
        self.loc = self.loc if hasattr(self, "loc") else nn.Parameter(torch.zeros(()))
        pyro.sample("gain", dist.LogNormal(self.loc, 0.1))
        return super().forward(batch)


class Factor(PoE):
    """A guide with a factor, which is an observed site."""

    def forward(self, batch):
        pyro.factor("penalty", torch.tensor(1.0), has_rsample=False)
        return super().forward(batch)


def test_further_sites_work_in_pyro_and_are_refused_where_they_would_be_left_out():
    parts, batch = modalities(), Batch.of(data())
    model, guide, plain = Calibrated(parts, LATENT), CalibratedGuide(parts, LATENT), PoE(parts, LATENT)
    guide.loc = nn.Parameter(torch.zeros(()))
    for _ in range(2):
        svi(model, guide, infer.Trace_ELBO()).step(batch)
    assert guide.loc.item() != 0
    assert infer.Predictive(model, guide=guide, num_samples=3)(batch)["gain"].shape[0] == 3
    pyro.clear_param_store()
    for m, g in (
        (model, plain),
        (MultimodalVAE(parts, LATENT), guide),
        (MultimodalVAE(parts, LATENT), Factor(parts, 2)),
    ):
        with pytest.raises(IncompatibleError, match="no table has a column for"):
            build("mixing", g)(m, g)(batch)
    with pytest.raises(IncompatibleError, match="forward of its own"):
        log_likelihood(model, plain, batch)
    with pytest.raises(IncompatibleError, match="forward of its own"):
        predictive(model, plain, batch)


# -- NUTS


def test_nuts_finds_the_exact_posterior(truth: LinearGaussian):
    model, batch = truth.model(), Batch.of(truth.sample(3).data, {"c": torch.tensor([True, False, True])})
    sampler = infer.MCMC(infer.NUTS(model), num_samples=400, warmup_steps=150, disable_progbar=True)
    before = weights(model)
    sampler.run(batch)
    z = sampler.get_samples()["z"]
    loc, scale = truth.posterior(batch)
    torch.testing.assert_close(z.mean(0), loc, atol=0.15, rtol=0)
    torch.testing.assert_close(z.std(0), scale, atol=0.1, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in weights(model).items())


@pytest.mark.parametrize("name", priors.available())
def test_nuts_runs_under_every_prior(name):
    parts = modalities()
    guide = guides.load("gpoe")(parts, LATENT)
    model = MultimodalVAE(parts, LATENT, prior=priors.load(name).of(guide, Batch.of(data())[:4]))
    sampler = infer.MCMC(infer.NUTS(model), num_samples=4, warmup_steps=4, disable_progbar=True)
    sampler.run(Batch.of(data()))
    assert torch.isfinite(sampler.get_samples()["z"]).all()


def test_a_mixture_keeps_the_support_of_its_components_when_it_is_expanded():
    mixture = MixtureOfGaussians(2)()
    for made in (mixture, mixture.expand((3, 4))):
        assert made.support is dist.constraints.real_vector or made.support.event_dim == 1
        torch.distributions.transform_to(made.support)
