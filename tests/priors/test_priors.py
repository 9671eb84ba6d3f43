"""What every prior promises, over all files of the folder, and priors against exact answers."""

from __future__ import annotations

import copy
import math

import pyro
import pytest
import torch
from prior_factory import ALL, LEARNED, moved, triple
from pyro.infer import SVI
from support import LATENT, TARGETS, build, common_noise, data, modalities, pair, with_pattern
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae import (
    Alignment,
    Batch,
    IncompatibleError,
    MultimodalVAE,
    Objective,
    Table,
    Term,
    guides,
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
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians


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
