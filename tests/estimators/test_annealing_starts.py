"""Annealing from a guide's posterior, a refined Gaussian and a Laplace Gaussian against the linear-Gaussian truth."""

from __future__ import annotations

from dataclasses import replace

import pyro.distributions as dist
import pytest
import torch
from support import data, every_subset, pair, with_pattern, wrong_pair
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import (
    Annealing,
    Laplace,
    Refinement,
    annealed_log_likelihood,
    conditional_log_likelihood,
    log_likelihood,
)
from pyro_mmvae.estimators.laplace import laplace
from pyro_mmvae.estimators.target import Target
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians

QUICK = Annealing(num_temperatures=30, num_chains=40, leapfrog_steps=3)
STARTS = ("guide", "refined", "laplace")


def agrees(estimate, exact, errors=6.0):
    """Assert that every available value is right within its errors."""
    there = estimate.available
    assert ((estimate.value - exact).abs()[there] < errors * estimate.standard_error[there] + 1e-6).all()


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("start", ["guide", "refined", "laplace"])
def test_a_wrong_start_ends_at_the_truth(count, start):
    truth = LinearGaussian({f"m{i}": 2 + i % 3 for i in range(count)}, latent_dim=2, seed=count)
    model, guide = wrong_pair(truth)
    batch = truth.sample(60)
    found = annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=QUICK)
    exact = truth.log_prob(batch)
    agrees(found, exact)
    ratio = (found.value - exact).exp()
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / len(ratio) ** 0.5 + 1e-6
    assert found.ess.mean() > 0.4 * 40
    assert found.given == tuple(guide.inputs)
    assert found.num_samples == 40


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_errors_are_calibrated(truth, scale):
    """On the scale of the weights, z-scores of many points are standard normal, from too narrow and too wide starts."""
    model, guide = wrong_pair(truth, scale=scale)
    batch = truth.sample(400)
    found = annealed_log_likelihood(model, batch, guide=guide, start="guide", annealing=QUICK)
    ratio = (found.value - truth.log_prob(batch)).exp()
    z = (ratio - 1) / (ratio * found.standard_error)
    assert abs(z.mean()) < 0.25
    assert 0.8 < z.std() < 1.25


def test_a_laplace_start_is_exact(truth):
    model, guide = wrong_pair(truth, shift=4, scale=0.2)
    batch = with_pattern(truth.sample(12))
    for of in every_subset(truth.names)[1:]:
        found = annealed_log_likelihood(model, batch, guide=guide, of=of, annealing=Annealing(3, 5, 1))
        there, exact = found.available, truth.log_prob(batch, of)
        torch.testing.assert_close(found.value[there], exact[there], rtol=1e-6, atol=1e-6)
        assert (found.ess[there] > 4.999).all()


def test_the_laplace_gaussian_is_the_posterior(truth):
    model, batch = truth.model(), truth.sample(5)
    target = Target(model, batch, truth.names, 1000)
    fit = laplace(dist.Normal(torch.ones(5, 2).double(), 1.0).to_event(1), target, Laplace(steps=5))
    loc, scale = truth.posterior(batch)
    torch.testing.assert_close(fit.loc[0], loc)
    torch.testing.assert_close(fit.root[0] @ fit.root[0], scale.square().diag_embed())
    z = torch.randn(3, 5, 2).double()
    torch.testing.assert_close(fit.log_prob(z), dist.Normal(loc, scale).to_event(1).log_prob(z))
    draws = fit.sample(20_000)
    torch.testing.assert_close(draws.mean(0), loc, rtol=0, atol=0.03)
    torch.testing.assert_close(draws.std(0), scale, rtol=0.05, atol=0)


@pytest.mark.parametrize("start", STARTS)
def test_every_of_and_given_with_missing_values(truth, start):
    model, guide = wrong_pair(truth)
    batch = with_pattern(truth.sample(9))
    for of in every_subset(truth.names)[1::2]:
        for given in every_subset(truth.names)[::3]:
            found = annealed_log_likelihood(
                model, batch, guide=guide, of=of, given=given, start=start, annealing=Annealing(30, 40, 2)
            )
            assert (found.available == torch.stack([batch.observed[n] for n in of]).any(0)).all()
            assert found.value.isnan().equal(~found.available)
            agrees(found, truth.log_prob(batch, of), 8)


@pytest.mark.parametrize("name", ["moe", "mopoe"])
@pytest.mark.parametrize("start", STARTS)
def test_mixtures(truth, name, start):
    model, guide = wrong_pair(truth, name)
    batch = with_pattern(truth.sample(12))
    found = annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=QUICK)
    agrees(found, truth.log_prob(batch))


def far_apart():
    """Return a model whose posterior has two modes, far apart."""

    class Square(nn.Module):
        def forward(self, z):
            return z.square()

    return MultimodalVAE([Modality("x", Normal((1,), scale=0.1), Square())], 1).double()


@pytest.mark.parametrize("start", ["guide", "laplace"])
def test_components_of_a_mixture_are_kept(start):
    """x = z^2 has modes at both roots: a start from both components finds both."""
    model = far_apart()
    batch = Batch.of({"x": torch.tensor([[2.0], [3.0], [1.5]]).double()})
    root = batch.data["x"].sqrt()
    parts = dist.Normal(torch.stack([root, -root], 1), 0.1).to_event(1)
    mixture = dist.MixtureSameFamily(dist.Categorical(probs=torch.tensor([0.7, 0.3]).double().expand(3, 2)), parts)
    guide = guides.load("poe")([Modality("x", Normal((1,)), None, nn.Identity(), 1)], 1).double()
    guide.posterior = lambda seen: mixture
    found = annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=Annealing(30, 200, 3))
    grid = torch.linspace(-6, 6, 100_001).double()
    log_joint = dist.Normal(grid.square(), 0.1).log_prob(batch.data["x"]) + dist.Normal(0.0, 1.0).log_prob(grid)
    exact = log_joint.logsumexp(1) + (grid[1] - grid[0]).log()
    agrees(found, exact)
    assert found.standard_error.max() < 0.06  # a mode that is lost costs log 2


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("given", [None, ()])
def test_learned_priors(start, given):
    torch.manual_seed(3)
    prior = MixtureOfGaussians(2, num_components=3)
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=2, prior=prior)
    guide = guides.load("poe")(truth.modalities(), 2).double()
    batch = with_pattern(truth.sample(10))
    found = annealed_log_likelihood(
        truth.model(), batch, guide=guide, start=start, given=given, annealing=Annealing(100, 60, 3)
    )
    agrees(found, truth.log_prob(batch))


def test_settings_of_starts(truth):
    model, guide = wrong_pair(truth)
    batch = truth.sample(10)
    for start in (Refinement(steps=3), Laplace(steps=3)):
        agrees(annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=QUICK), truth.log_prob(batch))
    without = annealed_log_likelihood(model, batch, start="laplace", annealing=Annealing(2, 3))
    torch.testing.assert_close(without.value, truth.log_prob(batch), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("evidence", ["prior", "importance"])
def test_conditionals(truth, evidence):
    model, guide = wrong_pair(truth)
    batch = with_pattern(truth.sample(10))
    found = conditional_log_likelihood(
        model, guide, batch, of=["a"], on=["b"], anneal=QUICK, evidence=evidence, num_samples=5000, start="guide"
    )
    exact = truth.log_prob(batch, ("a", "b")) - truth.log_prob(batch, ("b",))
    agrees(found, exact)


class TestSameNumbers:
    def found(self, truth, **options):
        model, guide = wrong_pair(truth)
        batch = with_pattern(truth.sample(7))
        options = {"start": "refined", "annealing": Annealing(6, 4, 2), **options}
        return annealed_log_likelihood(model, batch, guide=guide, **options).value

    @pytest.mark.parametrize("start", ["prior", *STARTS])
    @pytest.mark.parametrize("chunk_rows", [1, 3, 12])
    def test_chunks(self, truth, start, chunk_rows):
        whole = self.found(truth, start=start)
        torch.testing.assert_close(
            self.found(truth, start=start, chunk_rows=chunk_rows), whole, rtol=1e-6, atol=1e-6, equal_nan=True
        )

    def test_seeds(self, truth):
        first, again, other = (self.found(truth, start="guide", seed=seed) for seed in (0, 0, 1))
        torch.testing.assert_close(first, again, rtol=0, atol=0, equal_nan=True)
        assert (first != other)[~first.isnan()].all()

    def test_nothing_is_left_behind(self, truth):
        model, guide = wrong_pair(truth)
        state = torch.get_rng_state()
        annealed_log_likelihood(model, truth.sample(3), guide=guide, annealing=Annealing(2, 2, 1))
        assert torch.equal(state, torch.get_rng_state())
        assert all(p.grad is None for p in [*model.parameters(), *guide.parameters()])
        assert model.training
        assert guide.training


def test_decoders_never_see_more_rows_than_allowed(truth):
    model, guide = wrong_pair(truth)
    seen = []
    model.decoders["a"].register_forward_hook(lambda module, inputs, out: seen.append(inputs[0].shape[:-1].numel()))
    annealed_log_likelihood(
        model, truth.sample(10), guide=guide, start="laplace", annealing=Annealing(4, 50, 1), chunk_rows=20
    )
    assert max(seen) <= 20


def test_progress(truth, capsys):
    model, guide = wrong_pair(truth)
    annealed_log_likelihood(model, truth.sample(3), guide=guide, annealing=Annealing(2, 2, 1), progress=True)
    shown = capsys.readouterr().err
    assert "pilot" in shown
    assert "forward" in shown


def test_khat_is_told_from_forty_chains_on(truth):
    model, guide = wrong_pair(truth)
    few, many = (
        annealed_log_likelihood(model, truth.sample(4), guide=guide, start="guide", annealing=Annealing(4, chains, 1))
        for chains in (39, 40)
    )
    assert few.khat.isnan().all()
    assert "too few draws to tell" in str(few)
    assert not many.khat.isnan().any()


class Once(torch.autograd.Function):
    """As operations without a second derivative do: PyTorch's say "derivative for aten::NAME is not implemented"."""

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        if torch.is_grad_enabled():
            raise RuntimeError("derivative for aten::once_backward is not implemented")
        return gradient.clone()


def test_what_cannot_be_differentiated_twice():
    class Decoder(nn.Linear):
        def forward(self, z):
            return Once.apply(super().forward(z))

    model = MultimodalVAE([Modality("x", Normal((1,)), Decoder(2, 1))], 2)
    batch = Batch.of({"x": torch.randn(4, 1)})
    with pytest.raises(IncompatibleError, match="cannot be differentiated twice"):
        annealed_log_likelihood(model, batch, start="laplace", annealing=Annealing(2, 2, 1))
    assert annealed_log_likelihood(model, batch, start="refined", annealing=Annealing(2, 2, 1)).value.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "posterior"}, "start: expected one of"),
        ({"start": "guide", "guide": None}, "expected a guide"),
        ({"given": ["a"], "guide": None}, "expected a guide"),
        ({"given": ["a"], "start": "prior"}, "nothing is looked at"),
        ({"given": ["y"]}, "does not encode"),
        ({"chunk_rows": 0}, "chunk_rows"),
    ],
)
def test_bad_input(options, message):
    model, guide = pair("poe")
    with pytest.raises(ValueError, match=message):
        annealed_log_likelihood(model, Batch.of(data()), **{"guide": guide, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"num_temperatures": 0},
        {"leapfrog_steps": 0},
        {"effective_share": 1.0},
        {"first_step_size": 0.0},
        {"schedule": "cosine"},
    ],
)
def test_bad_settings(options):
    with pytest.raises(ValueError, match="expected"):
        Annealing(**options)
    with pytest.raises(ValueError, match="expected steps >= 0"):
        Laplace(steps=-1)


def test_one_call_does_it(truth):
    model, guide = wrong_pair(truth)
    batch = truth.sample(5)
    same = {"of": ["a"], "given": ["b"], "start": "refined", "seed": 3}
    own = annealed_log_likelihood(model, batch, guide=guide, annealing=QUICK, **same)
    found = log_likelihood(model, guide, batch, anneal=QUICK, **same)
    assert torch.equal(own.value, found.value)
    assert log_likelihood(model, guide, batch, anneal=True).num_samples == Annealing().num_chains
    with pytest.raises(ValueError, match="start: it belongs to anneal"):
        log_likelihood(model, guide, batch, start="refined")
    with pytest.raises(ValueError, match="instead of `defensive` and `refine`"):
        log_likelihood(model, guide, batch, anneal=True, refine=3)


def test_a_skewed_posterior_moves_the_start():
    """z ~ N(0, 1), x = exp(z) + noise: the mean of the best Gaussian is not the mode; without skew nothing moves."""

    class Exp(nn.Module):
        def forward(self, z):
            return z.exp()

    model = MultimodalVAE([Modality("x", Normal((1,), scale=1.0), Exp())], 1).double()
    target = Target(model, Batch.of({"x": torch.tensor([[0.2], [1.0], [3.0]]).double()}), ("x",), 1000)
    wide = dist.Normal(torch.zeros(3, 1).double(), 1.0).to_event(1)
    mode = laplace(wide, target, Laplace(shifts=0))
    moved = laplace(wide, target, Laplace(shifts=200))

    def bound(fit):
        z = fit.sample(20_000)
        return (target.log_joint(z) - fit.log_prob(z)).mean(0)

    assert (bound(moved) > bound(mode) + 0.005).all()
    step = 0.15 * mode.root[0, :, 0]
    for sign in (-1, 1):
        aside = replace(moved, loc=moved.loc + sign * step)
        assert (bound(moved) > bound(aside) - 0.005).all()
