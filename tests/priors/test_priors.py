"""What every prior promises, over all files of the folder, and priors against exact answers."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import pyro
import pytest
import torch
from pyro.infer import SVI
from support import LATENT, TARGETS, build, common_noise, data, modalities, pair, with_pattern
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae import (
    Alignment,
    Batch,
    IncompatibleError,
    Modality,
    MultimodalVAE,
    Objective,
    Table,
    Term,
    guides,
    objectives,
    priors,
)
from pyro_mmvae.blind import BlindPrior, moments, point_under, posterior_under
from pyro_mmvae.divergences import kl
from pyro_mmvae.estimators import (
    Annealing,
    annealed_log_likelihood,
    bidirectional,
    conditional_log_likelihood,
    log_likelihood,
    to_inference_data,
)
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.iwae import iwae
from pyro_mmvae.priors.flow import Flow
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians
from pyro_mmvae.priors.vamp import Vamp

ALL = priors.available()
LEARNED = [name for name in ALL if not priors.load(name).standard]


def triple(prior_name, guide_name="gpoe", **options):
    """Return a model with this prior, its guide and the prior, over the modalities of the contract tests."""
    parts = modalities()
    guide = guides.load(guide_name)(parts, LATENT, **options)
    prior = priors.load(prior_name).of(guide, Batch.of(data())[:4])
    return MultimodalVAE(parts, LATENT, prior=prior), guide, prior


def moved(prior):
    """Move a prior's parameters away from where they start, so that it is no near copy of N(0, I)."""
    far = 0.05 if isinstance(prior, Flow) else 0.3  # many small weights add up
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += far * torch.randn_like(parameter)
    return prior


def on_device(module, mode):
    """Put a module's own tensors on a fake CUDA device."""
    for name, parameter in module._parameters.items():
        module._parameters[name] = nn.Parameter(mode.from_tensor(parameter.detach()).to("cuda"))
    for name, buffer in module._buffers.items():
        module._buffers[name] = mode.from_tensor(buffer).to("cuda")


def grid(reach=9.0, count=400):
    """Return points of the latent plane, and the area of each."""
    line = torch.linspace(-reach, reach, count, dtype=torch.float64)
    return torch.cartesian_prod(line, line), (line[1] - line[0]) ** 2


def test_the_folder_is_the_registry():
    assert {"standard_normal", "mixture_of_gaussians", "vamp", "flow"} <= set(ALL)
    assert [name for name in ALL if name not in LEARNED] == ["standard_normal"]
    with pytest.raises(ValueError, match=r"unknown name 'lap'.*vamp"):
        priors.load("lap")


@pytest.mark.parametrize("name", ALL)
class TestContract:
    def test_shapes(self, name):
        _, _, prior = triple(name)
        density = prior()
        assert (density.batch_shape, density.event_shape) == ((), (LATENT,))
        assert density.sample((3, 5)).shape == (3, 5, LATENT)
        assert density.log_prob(torch.zeros(4, 1, LATENT)).shape == (4, 1)
        assert density.expand((7,)).sample().shape == (7, LATENT)
        assert density.expand((7,)).log_prob(torch.zeros(LATENT)).shape == (7,)
        assert prior.point().shape == (LATENT,)

    def test_density_integrates_to_one_and_draws_follow_it(self, name):
        _, _, prior = triple(name)
        density = moved(prior.double() if name != "vamp" else prior)()
        points, area = grid()
        weight = density.log_prob(points.to(next(iter(moments(density))).dtype)).exp().double() * area
        assert weight.sum().item() == pytest.approx(1, abs=2e-3)
        mean = (weight.unsqueeze(-1) * points).sum(0)
        draws = density.sample((20000,)).double()
        error = draws.std(0) / math.sqrt(20000)
        assert ((draws.mean(0) - mean).abs() < 6 * error + 1e-2).all()

    @pytest.mark.parametrize("guide_name", ["gpoe", "moe"])
    def test_its_parameters_get_a_finite_gradient(self, name, guide_name):
        model, guide, prior = triple(name, guide_name)
        for objective in (build("extended", guide), iwae(guide.inputs, TARGETS, doubly_reparameterised=True)):
            model.zero_grad()
            objective(model, guide)(with_pattern(Batch.of(data()))).backward()
            for key, parameter in prior.named_parameters():
                assert torch.isfinite(parameter.grad).all(), key
                assert (parameter.grad != 0).any(), key

    def test_everything_trains_once(self, name):
        """With the plain optimiser and with SVI; parameters and state have no double."""
        model, guide, prior = triple(name)
        loss = build("extended", guide)(model, guide)
        own = {id(p) for p in prior.parameters()}
        parameters = list(loss.parameters())
        assert len(parameters) == len({id(p) for p in parameters})
        assert own <= {id(p) for p in parameters}
        tensors = [v.data_ptr() for v in loss.state_dict().values() if isinstance(v, torch.Tensor) and v.numel()]
        assert len(tensors) == len(set(tensors))
        start = [p.detach().clone() for p in prior.parameters()]
        svi = SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), loss=build("extended", guide))
        svi.step(Batch.of(data()))
        assert all(not torch.equal(p, s) for p, s in zip(prior.parameters(), start, strict=True))

    def test_state_dict_round_trip(self, name):
        losses = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            model, guide, _ = triple(name)
            losses.append(build("extended", guide)(model, guide))
        losses[1].load_state_dict(losses[0].state_dict())
        z = torch.randn(5, LATENT)
        torch.testing.assert_close(*(loss.model.prior().log_prob(z) for loss in losses), rtol=0, atol=0)

    def test_a_copy_stands_alone(self, name):
        model, guide, _ = triple(name)
        loss = build("extended", guide)(model, guide)
        other = copy.deepcopy(loss)
        other.elbo.check(other.model, other.guide)
        assert not {id(p) for p in loss.parameters()} & {id(p) for p in other.parameters()}
        with torch.no_grad():
            for parameter in other.parameters():
                parameter += 1
        with common_noise():
            assert loss(Batch.of(data())) != other(Batch.of(data()))

    def test_float64(self, name):
        model, guide, _ = triple(name)
        loss = build("extended", guide)(model.double(), guide.double())
        assert loss(Batch.of(data(dtype=torch.float64))).dtype == torch.float64

    def test_loss_on_a_fake_gpu(self, name):
        """No device mix-up and no wait for the device; the prior is built on the host, as it would be."""
        model, guide, _ = triple(name)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode, pyro.validation_enabled(False):
            for module in [*model.modules(), *guide.modules()]:
                on_device(module, mode)
            with torch.device("cuda"):
                batch = Batch.of({n: torch.empty(v.shape) for n, v in data().items()})
                objective = build("extended", guide)
                objective.validate = False
                assert objective(model, guide)(batch).device.type == "cuda"

    @pytest.mark.parametrize("guide_name", guides.available())
    def test_every_guide_that_fits_has_a_finite_loss(self, name, guide_name):
        options = {"prior_expert": "never"} if guide_name in ("poe", "mopoe") else {}
        model, guide, _ = triple(name, guide_name, **options)
        for objective_name in ("extended", "mixing"):
            loss = build(objective_name, guide, num_particles=2)(model, guide)
            assert torch.isfinite(loss(with_pattern(Batch.of(data()))))


class TestTruth:
    """Linear decoders and a mixture of Gaussians as the prior: p(x) is a mixture of Gaussians."""

    @pytest.fixture
    def mixed(self):
        torch.manual_seed(3)
        prior = MixtureOfGaussians(2, num_components=3)
        with torch.no_grad():
            prior.loc *= 2.5
            prior.logits.copy_(torch.tensor([0.0, 1.0, -0.5]))
        return LinearGaussian({"a": 3, "b": 2, "c": 4}, latent_dim=2, seed=1, prior=prior)

    def exact_pair(self, truth):
        guide = guides.load("poe")(truth.modalities(), truth.latent_dim, prior_expert="never").double()
        truth.set_exact_experts(guide)
        return truth.model(), guide

    def test_the_reference_itself_by_quadrature(self, mixed):
        model, batch = mixed.model(), with_pattern(mixed.sample(8))
        points, area = grid()
        with torch.no_grad():
            density = model.prior().log_prob(points)[:, None]
            for n in mixed.names:
                scored = torch.stack([model.decode(points, n).log_prob(x) for x in batch.data[n]], -1)
                density = density + torch.where(batch.observed[n], scored, 0.0)
        torch.testing.assert_close(density.logsumexp(0) + area.log(), mixed.log_prob(batch), rtol=0, atol=1e-6)

    def test_data_follow_the_prior(self, mixed):
        batch = mixed.sample(20000)
        mean = batch.data["a"].mean(0)
        expected = mixed.weight["a"] @ mixed.prior().mean + mixed.bias["a"]
        assert ((mean - expected).abs() < 6 * batch.data["a"].std(0) / math.sqrt(20000)).all()

    def test_elbo_below_iwae_below_log_likelihood(self, mixed):
        model, guide = self.exact_pair(mixed)
        batch, repeats = mixed.sample(6), 400
        with torch.no_grad():
            elbo = extended(mixed.names, mixed.names, num_particles=repeats).evaluate(model, guide, batch).per_sample
            weighted = iwae(mixed.names, mixed.names, num_particles=16)
            weighted.validate = False
            draws = torch.stack([weighted.evaluate(model, guide, batch).per_sample for _ in range(repeats)])
        error = draws.std(0) / math.sqrt(repeats)
        assert (elbo.mean() < draws.mean() + 3 * error.mean()).all()
        assert (draws.mean(0) < mixed.log_prob(batch) + 4 * error + 1e-9).all()
        assert (mixed.log_prob(batch) - draws.mean(0)).abs().max() < 0.5

    @pytest.mark.parametrize("options", [{}, {"defensive": 0.2}, {"refine": 10}, {"given": ()}, {"given": ("b",)}])
    def test_importance_sampling_hits_the_exact_value(self, mixed, options):
        model, guide = self.exact_pair(mixed)
        with torch.no_grad():
            for head in guide.heads.values():
                head.linear.bias[2:] += 0.3
        batch = with_pattern(mixed.sample(12))
        estimate = log_likelihood(model, guide, batch, of=("a", "b"), num_samples=4000, **options)
        there = estimate.available & (estimate.khat < 0.5)
        exact = mixed.log_prob(batch, ("a", "b"))
        assert there.any()
        assert ((estimate.value - exact)[there].abs() < 6 * estimate.standard_error[there] + 1e-9).all()

    @pytest.mark.parametrize("evidence", ["prior", "importance"])
    def test_conditional(self, mixed, evidence):
        model, guide = self.exact_pair(mixed)
        batch = mixed.sample(6)
        options = {"num_samples": 6000, "evidence": evidence, "defensive": 0.1}
        found = conditional_log_likelihood(model, guide, batch, of=("a",), on=("b",), **options)
        exact = mixed.log_prob(batch, ("a", "b")) - mixed.log_prob(batch, ("b",))
        assert ((found.value - exact).abs() < 6 * found.standard_error).all()

    def test_annealing_hits_the_exact_value(self, mixed):
        batch = with_pattern(mixed.sample(12))
        quick = Annealing(num_temperatures=80, num_chains=60, leapfrog_steps=5)
        estimate = annealed_log_likelihood(mixed.model(), batch, of=("a", "c"), annealing=quick)
        there, exact = estimate.available, mixed.log_prob(batch, ("a", "c"))
        assert ((estimate.value - exact).abs()[there] < 6 * estimate.standard_error[there]).all()

    def test_the_truth_lies_between_the_bounds(self, mixed):
        quick = Annealing(num_temperatures=80, num_chains=40, leapfrog_steps=5)
        sandwich = bidirectional(mixed.model(), 300, annealing=quick)
        exact = mixed.log_prob(sandwich.batch)
        assert sandwich.lower.value.mean() < exact.mean() + 0.02
        assert sandwich.upper.mean() > exact.mean() - 0.02
        assert sandwich.gap.mean() < 0.3

    def test_training_the_prior_finds_that_of_the_data(self):
        """Two far clusters: N(0, I) cannot have them, and the learned mixture's log p(x) is near the truth's."""
        torch.manual_seed(0)
        prior = MixtureOfGaussians(2, num_components=2)
        with torch.no_grad():
            prior.loc.copy_(torch.tensor([[3.0, 0.0], [-3.0, 0.0]]))
        truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=1, prior=prior)
        batch, test = truth.sample(400), truth.sample(400, seed=1)
        learned = LinearGaussian(truth.sizes, 2, seed=1, prior=MixtureOfGaussians(2, num_components=2))
        model, guide = self.exact_pair(learned)
        optimiser = torch.optim.Adam(learned.prior.parameters(), lr=3e-2)
        loss = extended(truth.names, truth.names)(model, guide)
        for _ in range(250):
            optimiser.zero_grad()
            loss(batch).backward()
            optimiser.step()
        plain = LinearGaussian(truth.sizes, 2, seed=1).log_prob(test).mean()
        assert learned.log_prob(test).mean() > plain + 0.5
        assert learned.log_prob(test).mean() > truth.log_prob(test).mean() - 0.3

    def test_no_single_gaussian_posterior(self, mixed):
        with pytest.raises(IncompatibleError, match="only under the prior N"):
            mixed.posterior(mixed.sample(2))


@pytest.mark.parametrize("name", ALL)
def test_every_prior_against_quadrature(name, truth):
    """Whatever the prior: importance sampling and annealing find the integral of p(z) p(x | z) over the plane."""
    guide = guides.load("gpoe")(truth.modalities(), 2).double()
    truth.set_exact_experts(guide)
    batch = truth.sample(4)
    prior = moved(priors.load(name).of(guide, truth.sample(5, seed=9)).double())
    model = MultimodalVAE(truth.modalities(), 2, prior=prior).double()
    points, area = grid(reach=12.0, count=500)
    with torch.no_grad():
        density = model.prior().log_prob(points)[:, None]
        for n in truth.names:
            density = density + torch.stack([model.decode(points, n).log_prob(x) for x in batch.data[n]], -1)
    exact = density.logsumexp(0) + area.log()
    estimate = log_likelihood(model, guide, batch, num_samples=4000, defensive=0.3)
    assert ((estimate.value - exact).abs() < 6 * estimate.standard_error + 1e-3).all()
    annealed = annealed_log_likelihood(model, batch, annealing=Annealing(40, 40, 4))
    assert ((annealed.value - exact).abs() < 6 * annealed.standard_error + 1e-2).all()


class TestStandardNormal:
    def test_it_is_the_default(self):
        model, _ = pair("poe")
        z = torch.randn(5, LATENT)
        expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        assert torch.equal(model.prior().log_prob(z), expected)
        assert not list(model.prior.state_dict())

    def test_its_kl_is_analytic(self):
        model, guide = pair("poe")
        posterior = guide.posterior(Batch.of(data()))
        found = [kl(posterior, model.prior(), posterior.sample()) for _ in range(2)]
        assert torch.equal(*found)


class TestBlindSamples:
    """Nothing is observed: the model's prior, not the N(0, I) that guides have in its place."""

    def blind(self, name):
        model, guide, prior = triple(name)
        moved(prior)
        none = torch.tensor([True, True, False, True, False, True])
        return model, guide, Batch.of(data(), dict.fromkeys("abc", none)), ~none

    @pytest.mark.parametrize("name", ALL)
    def test_posterior_and_point(self, name):
        model, guide, batch, none = self.blind(name)
        posterior, z = posterior_under(model, guide, batch), torch.randn(7, 6, LATENT)
        expected = torch.where(none, model.prior().log_prob(z), guide.posterior(batch).log_prob(z))
        torch.testing.assert_close(posterior.log_prob(z), expected)
        torch.testing.assert_close(
            point_under(model, guide, batch),
            torch.where(none.unsqueeze(-1), model.prior.point(), guide.point(batch)),
        )

    @pytest.mark.parametrize("name", LEARNED)
    def test_draws(self, name):
        model, guide, batch, none = self.blind(name)
        torch.manual_seed(1)
        with torch.no_grad():
            draws = posterior_under(model, guide, batch).sample((8000,))
            mean, spread = moments(model.prior())
        error = draws.std(0) / math.sqrt(8000)
        assert ((draws.mean(0) - mean).abs() < 6 * error + 0.2 * spread)[none].all()
        assert ((draws.mean(0) - guide.posterior(batch).mean).abs() < 6 * error)[~none].all()
        assert isinstance(posterior_under(model, guide, batch), BlindPrior)

    def test_inference_data(self):
        model, guide, batch, none = self.blind("mixture_of_gaussians")
        found = to_inference_data(model, guide, batch, num_samples=4000)
        z = torch.from_numpy(found.posterior["z"].values[0])
        error = z.std(0) / math.sqrt(4000)
        assert ((z.mean(0) - model.prior().mean).abs() < 6 * error)[none].all()

    def test_they_add_nothing_to_an_objective(self):
        model, guide, batch, none = self.blind("mixture_of_gaussians")
        bound = extended(guide.inputs, TARGETS)(model, guide).bound(batch)
        assert (bound.per_sample[none] == 0).all()


class TestRefused:
    @pytest.mark.parametrize("guide_name", ["poe", "mopoe"])
    @pytest.mark.parametrize("prior_expert", ["always", "joint"])
    @pytest.mark.parametrize("name", LEARNED)
    def test_a_prior_expert_that_is_not_the_prior(self, name, prior_expert, guide_name):
        model, guide, _ = triple(name, guide_name, prior_expert=prior_expert)
        with pytest.raises(IncompatibleError, match=r"multiplies the prior N\(0, I\).*use prior_expert='never'"):
            extended(guide.inputs, TARGETS)(model, guide)

    @pytest.mark.parametrize(
        "table", [Table([Term((), {"y": 1.0})]), Table([Term(("a",), {"y": 1.0})], [Alignment(("a",), ())])]
    )
    def test_an_empty_subset(self, table):
        model, guide, _ = triple("mixture_of_gaussians")
        with pytest.raises(IncompatibleError, match=r"infers z from nothing.*the model's prior is MixtureOfGaussians"):
            Objective(table)(model, guide)
        Objective(table)(*pair("gpoe"))

    def test_the_guide_of_another(self):
        model, _, _ = triple("vamp")
        _, other = pair("gpoe")
        with pytest.raises(IncompatibleError, match="borrows the weights of another guide"):
            extended(other.inputs, TARGETS)(model, other)

    def test_another_dimension(self):
        with pytest.raises(ValueError, match="expected one of latent_dim = 2, got one of 3"):
            MultimodalVAE(modalities(), LATENT, prior=MixtureOfGaussians(3))

    def test_no_component(self):
        with pytest.raises(ValueError, match="num_components: expected at least 1, got 0"):
            MixtureOfGaussians(2, num_components=0)


class TestVamp:
    def test_it_is_the_mixture_of_the_posteriors_of_pseudo_inputs(self):
        _, guide, prior = triple("vamp")
        z = torch.randn(9, LATENT)
        posterior = guide.posterior(Batch.of({n: v.detach() for n, v in prior.pseudo.items()}))
        expected = posterior.log_prob(z.unsqueeze(1)).logsumexp(-1) - math.log(4)
        torch.testing.assert_close(prior().log_prob(z), expected)

    def test_of_a_mixture_it_is_one_mixture(self):
        _, guide, prior = triple("vamp", "moe")
        z = torch.randn(9, LATENT)
        posterior = guide.posterior(Batch.of({n: v.detach() for n, v in prior.pseudo.items()}))
        expected = posterior.log_prob(z.unsqueeze(1)).logsumexp(-1) - math.log(4)
        torch.testing.assert_close(prior().log_prob(z), expected)
        assert prior().mixture_distribution.probs.shape == (12,)

    def test_the_guide_learns_from_both(self):
        model, guide, prior = triple("vamp")
        assert not {id(p) for p in prior.parameters()} & {id(p) for p in guide.parameters()}
        model.prior().log_prob(torch.zeros(LATENT)).backward()
        assert (guide.heads["a"].linear.weight.grad != 0).any()
        assert {key.split(".")[0] for key in prior.state_dict()} == {"pseudo"}

    def test_pseudo_inputs_are_encoded_once_in_a_step(self):
        model, guide, _ = triple("vamp")
        seen = []
        guide.encoders["a"].register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
        loss = extended(guide.inputs, TARGETS)(model, guide)
        loss(Batch.of(data()))
        assert sorted(seen) == [4, 6]

    def test_estimators_put_the_borrowed_guide_into_evaluation_mode(self, truth):
        parts = truth.modalities()
        noisy = [Modality(p.name, p.likelihood, p.decoder, nn.Dropout(0.5), p.features) for p in parts]
        guide = guides.load("gpoe")(noisy, 2).double()
        model = MultimodalVAE(noisy, 2, prior=Vamp(guide, truth.sample(3))).double()
        found = [annealed_log_likelihood(model, truth.sample(2), annealing=Annealing(5, 3, 2)).value for _ in range(2)]
        assert torch.equal(*found)
        assert guide.training
        assert guide.encoders["a"].training

    @pytest.mark.parametrize(
        ("start", "message"),
        [
            ({"a": data()["a"], "b": data()["b"]}, r"\['c'\] are not in the batch"),
            (
                {**data(), "c": torch.zeros(6, 4, dtype=torch.long)},
                r"\['c'\] are not real numbers; make labels one-hot",
            ),
            ({n: v[:0] for n, v in data().items()}, "at least one sample"),
        ],
    )
    def test_bad_starts(self, start, message):
        with pytest.raises(ValueError, match=message):
            Vamp(pair("gpoe")[1], Batch.of(start))

    def test_incomplete_starts(self):
        with pytest.raises(ValueError, match=r"complete samples, but some lack \['a', 'b'\]"):
            Vamp(pair("gpoe")[1], with_pattern(Batch.of(data())))


class TestFlow:
    def test_it_learns_a_density(self):
        """Two far clusters; the negative log-likelihood comes near their entropy."""
        torch.manual_seed(0)
        target = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(torch.ones(2)),
            torch.distributions.Independent(
                torch.distributions.Normal(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), torch.full((2, 2), 0.5)), 1
            ),
        )
        prior = priors.load("flow")(2, transforms=2, hidden=(32, 32))
        optimiser = torch.optim.Adam(prior.parameters(), lr=5e-3)
        for _ in range(300):
            optimiser.zero_grad()
            (-prior().log_prob(target.sample((256,))).mean()).backward()
            optimiser.step()
        x = target.sample((4000,))
        assert (target.log_prob(x) - prior().log_prob(x)).mean().item() < 0.1

    def test_draws_are_reparameterised(self):
        prior = priors.load("flow")(2)
        prior().rsample((5,)).sum().backward()
        assert any((p.grad != 0).any() for p in prior.parameters() if p.grad is not None)

    def test_one_latent_dimension(self):
        density = priors.load("flow")(1)()
        line = torch.linspace(-10, 10, 4001).unsqueeze(-1)
        assert torch.trapezoid(density.log_prob(line).exp(), line[:, 0]).item() == pytest.approx(1, abs=1e-3)

    def test_importing_zuko_changes_nothing(self):
        code = """
import torch.distributions as d
before = d.Distribution._validate_args
from pyro_mmvae import priors
import sys
for name in priors.available():
    priors.load(name)
assert "zuko" not in sys.modules
priors.load("flow")(2)
assert "zuko" in sys.modules
assert d.Distribution._validate_args == before
"""
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_without_zuko(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "zuko", None)
        with pytest.raises(ImportError, match=r"pip install 'pyro-mmvae\[flows\]'"):
            priors.load("flow")(2)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("objective_name", objectives.available())
def test_every_objective_trains_under_a_learned_prior(name, objective_name):
    guide_name = "moe" if objective_name == "mmvae" else "gpoe"
    model, guide, _ = triple(name, guide_name)
    loss = build(objective_name, guide)(model, guide)
    value = loss(with_pattern(Batch.of(data())))
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters() if p.grad is not None)
