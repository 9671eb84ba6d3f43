"""Marginal log-likelihoods against the linear-Gaussian truth, and what must not change them."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies as st
from scipy.stats import kstest
from support import LATENT, data, every_subset, modalities, pair, with_pattern
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, Objective, guides
from pyro_mmvae.estimators import Estimate, Refinement, batch_seed, log_likelihood, log_likelihoods
from pyro_mmvae.estimators.importance import weigh
from pyro_mmvae.estimators.of_arviz import pareto_shapes
from pyro_mmvae.estimators.target import Target
from pyro_mmvae.estimators.weights import RunningWeights, tail_size
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Pointcloud
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.extended import extended


def exact_pair(truth, name="poe", wider=0.0):
    """Return a model and a guide with exact experts, or wider ones: an imperfect proposal with light-tailed weights."""
    guide = guides.load(name)(truth.modalities(), truth.latent_dim).double()
    truth.set_exact_experts(guide)
    with torch.no_grad():
        for head in guide.heads.values():
            head.linear.bias[truth.latent_dim :] += wider
    return truth.model(), guide


def scores(estimate, exact):
    """Return z-scores on the scale of the weights, where the estimate is unbiased."""
    ratio = (estimate.value - exact).exp()
    return (ratio - 1) / (ratio * estimate.standard_error)


def agree_with_exact(estimate, exact):
    """Assert that estimates with light-tailed weights are right within their errors; return the share of those."""
    there = estimate.available & (estimate.khat < 0.5)
    gap = (estimate.value - exact)[there].abs()
    assert (gap < 6 * estimate.standard_error[there] + 1e-9).all(), (estimate.of, estimate.given)
    return (there.sum() / estimate.available.sum()).item()


class TestTruth:
    @pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
    def test_every_of_and_given(self, count):
        truth = LinearGaussian({f"m{i}": 2 + i % 3 for i in range(count)}, latent_dim=2, seed=count)
        model, guide = exact_pair(truth, wider=0.3)
        batch = with_pattern_of(truth, 4)
        subsets = every_subset(truth.names)
        agreed = []
        for given in subsets[:: {5: 3, 6: 7}.get(count, 1)]:  # to spare time; `of` is every one
            # A proposal that sees more than its target, or something else, is too narrow; the prior mends that.
            wider = [of for of in subsets[1:] if set(given) <= set(of)]
            for targets, defensive in ((wider, 0.0), (subsets[1:], 0.5)):
                several = log_likelihoods(
                    model, guide, batch, of=targets, given=given, num_samples=500, defensive=defensive
                )
                for of, estimate in zip(targets, several, strict=True):
                    assert (estimate.available == torch.stack([batch.observed[n] for n in of]).any(0)).all()
                    agreed.append(agree_with_exact(estimate, truth.log_prob(batch, of)))
        assert np.mean(agreed) > 0.6, "too few estimates that can be judged"

    @pytest.mark.parametrize("name", guides.available())
    def test_every_of_and_given_of_every_guide(self, truth, name):
        """Untrained posteriors are poor proposals; a share of the prior makes every pair estimable."""
        torch.manual_seed(1)
        guide = guides.load(name)(truth.modalities(), truth.latent_dim).double()
        model, batch = truth.model(), with_pattern(truth.sample(4))
        subsets = every_subset(truth.names)
        agreed = []
        for given in every_subset(guide.inputs):
            several = log_likelihoods(
                model, guide, batch, of=subsets[1:], given=given, num_samples=1000, defensive=0.5, seed=2
            )
            agreed += [agree_with_exact(e, truth.log_prob(batch, e.of)) for e in several]
        assert np.mean(agreed) > 0.5, "too few estimates that can be judged"

    def test_errors_are_calibrated(self, truth):
        """Over many data points the z-scores are standard normal: error bars mean what they say."""
        model, guide = exact_pair(truth, wider=0.3)
        batch = truth.sample(1200)
        for of, given in ((list("abc"), list("abc")), (list("abc"), list("ac")), (list("bc"), ["c"])):
            z = scores(log_likelihood(model, guide, batch, of=of, given=given), truth.log_prob(batch, of))
            assert abs(z.mean()) < 0.15
            assert 0.9 < z.std() < 1.1
            assert kstest(z.numpy(), "norm").statistic < 0.05

    @pytest.mark.parametrize("name", guides.available())
    def test_every_guide_converges(self, truth, name):
        torch.manual_seed(1)
        guide = guides.load(name)(truth.modalities(), truth.latent_dim).double()
        model, batch = truth.model(), with_pattern(truth.sample(8))
        exact = truth.log_prob(batch)
        few, many = (log_likelihood(model, guide, batch, num_samples=k, defensive=0.3, seed=2) for k in (100, 5000))
        gap = (many.value - exact).abs()[many.available]
        assert (gap < 5 * many.standard_error[many.available] + 1e-9).all()
        assert many.standard_error[many.available].mean() < 0.3 * few.standard_error[few.available].mean() + 1e-9

    def test_an_exact_proposal_has_no_variance(self, truth):
        model, guide = exact_pair(truth)
        batch = with_pattern(truth.sample(8))
        for of in every_subset(truth.names)[1:]:
            estimate = log_likelihood(model, guide, batch, of=of, given=of, num_samples=30)
            there = estimate.available
            torch.testing.assert_close(estimate.value[there], truth.log_prob(batch, of)[there], rtol=1e-9, atol=1e-9)
            assert estimate.standard_error[there].max() < 1e-6
            assert (estimate.ess[there] > 29.99).all()
            assert (estimate.khat[there] == 0).all()

    def test_elbo_below_iwae_below_log_likelihood(self, truth):
        model, guide = exact_pair(truth, wider=0.5)
        batch, repeats = truth.sample(40), 60
        table = extended(truth.names, truth.names).table
        with torch.no_grad():
            elbo = Objective(table, num_particles=2000).evaluate(model, guide, batch).per_sample.mean()
        means = [
            np.mean([log_likelihood(model, guide, batch, num_samples=k, seed=s).mean for s in range(repeats)])
            for k in (2, 8, 64)
        ]
        exact = truth.log_prob(batch).mean().item()
        assert elbo < means[0] < means[1] < means[2] < exact + 0.005

    def test_discrete_labels_only_take_away(self):
        """log p(x, y) <= log p(x) for a discrete y, on the same draws, for every point."""
        torch.manual_seed(0)
        parts = [
            Modality("x", Bernoulli((6,)), nn.Linear(LATENT, 6), nn.Linear(6, 4)),
            Modality("y", Categorical(3), nn.Linear(LATENT, 3), nn.Linear(3, 4)),
        ]
        batch = Batch.of({"x": torch.randint(2, (9, 6)).float(), "y": torch.eye(3).repeat(3, 1)})
        for name in guides.available():
            model, guide = MultimodalVAE(parts, LATENT), guides.load(name)(parts, LATENT)
            joint, image = (log_likelihood(model, guide, batch, of=of, num_samples=50) for of in (("x", "y"), ("x",)))
            assert (joint.value <= image.value).all()

    def test_enumerated_probabilities_sum_to_one(self):
        """The estimates of all values that a discrete modality can take add up to one."""
        torch.manual_seed(0)
        parts = [Modality("x", Bernoulli((3,)), nn.Linear(LATENT, 3), nn.Linear(3, 4))]
        model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
        every = torch.tensor(list(product((0.0, 1.0), repeat=3)))
        estimate = log_likelihood(model, guide, Batch.of({"x": every}), num_samples=20_000, defensive=0.5)
        assert estimate.value.exp().sum().item() == pytest.approx(1, abs=0.02)


def with_pattern_of(truth, size):
    """Return data of which every second and third sample lacks the first and second modality."""
    batch, rows = truth.sample(size), torch.arange(size)
    first, second = truth.names[:2]
    return Batch.of(batch.data, {first: rows % 2 == 0, second: rows % 3 == 0})


class TestDiagnostics:
    def narrow(self, truth):
        model, guide = exact_pair(truth)
        batch = truth.sample(100)
        exact = guide.posterior(batch)
        guide.posterior = lambda given: dist.Normal(exact.mean, 0.3 * exact.stddev).to_event(1)
        return model, guide, batch

    def test_a_proposal_that_is_too_narrow_is_flagged(self, truth):
        model, guide, batch = self.narrow(truth)
        estimate = log_likelihood(model, guide, batch)
        assert (estimate.khat > 0.7).float().mean() > 0.7
        assert estimate.summary()["khat_over_0.7"] > 0.7
        # And rightly so: the error bars do not cover the truth.
        assert scores(estimate, truth.log_prob(batch)).abs().median() > 2

    def test_some_of_the_prior_mends_it(self, truth):
        model, guide, batch = self.narrow(truth)
        plain, mended = (log_likelihood(model, guide, batch, defensive=share, num_samples=4000) for share in (0, 0.5))
        assert (mended.khat > 0.7).float().mean() < 0.3 * (plain.khat > 0.7).float().mean()
        z = scores(mended, truth.log_prob(batch))
        assert abs(z.mean()) < 0.4
        assert 0.7 < z.std() < 1.4

    def test_refinement_mends_it(self, truth):
        model, guide, batch = self.narrow(truth)
        estimate = log_likelihood(model, guide, batch, refine=Refinement(steps=150, learning_rate=0.05, num_samples=16))
        assert (estimate.khat > 0.7).float().mean() < 0.05
        assert estimate.ess.mean() > 800
        assert all(p.grad is None for p in [*model.parameters(), *guide.parameters()])

    def test_a_wide_proposal_is_not_flagged(self, truth):
        model, guide = exact_pair(truth, wider=0.5)
        assert log_likelihood(model, guide, truth.sample(200)).summary()["khat_over_0.7"] == 0

    @pytest.mark.parametrize("num_samples", [25, 100, 1000])
    def test_khat_and_sums_are_those_of_all_weights(self, num_samples):
        weights = torch.randn(num_samples, 7, dtype=torch.float64) * torch.linspace(0.1, 4, 7, dtype=torch.float64)
        running = RunningWeights(7, num_samples, torch.device("cpu"))
        for chunk in weights.split(9):
            running.add(chunk)
        expected = pareto_shapes(weights.T.numpy())
        np.testing.assert_allclose(running.khat().numpy(), expected, rtol=1e-9)
        torch.testing.assert_close(running.log_mean(), weights.logsumexp(0) - math.log(num_samples))
        normal = weights.softmax(0)
        torch.testing.assert_close(running.effective_size(), 1 / normal.square().sum(0))
        assert len(running._tail[0]) == tail_size(num_samples) + 1

    def test_too_few_draws_to_tell(self, truth):
        model, guide = exact_pair(truth, wider=0.3)
        estimate = log_likelihood(model, guide, truth.sample(4), num_samples=10)
        assert estimate.khat.isnan().all()
        assert math.isnan(estimate.summary()["khat_over_0.7"])

    def test_weights_of_zero_are_counted(self):
        running = RunningWeights(2, 50, torch.device("cpu"))
        weights = torch.zeros(50, 2)
        weights[:40, 0] = -torch.inf
        for chunk in weights.split(7):
            running.add(chunk)
        torch.testing.assert_close(running.log_mean().exp(), torch.tensor([0.2, 1.0], dtype=torch.float64))
        torch.testing.assert_close(running.effective_size(), torch.tensor([10.0, 50.0], dtype=torch.float64))
        assert not running.khat().isnan().any()


class TestWhatMustNotMatter:
    @drawn(st.integers(1, 60), st.integers(1, 40), st.integers(1, 12))
    def test_chunks(self, chunk_rows, num_samples, size):
        truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=1)
        model, guide = exact_pair(truth, wider=0.3)
        batch = with_pattern_of(truth, size)
        some, whole = (
            log_likelihood(model, guide, batch, num_samples=num_samples, chunk_rows=rows)
            for rows in (chunk_rows, 10**6)
        )
        torch.testing.assert_close(some.value, whole.value, equal_nan=True)
        torch.testing.assert_close(some.standard_error, whole.standard_error, equal_nan=True, rtol=1e-5, atol=1e-7)

    def test_blocks_of_points(self, truth, monkeypatch):
        """Many points are taken in blocks; each is right."""
        monkeypatch.setattr("pyro_mmvae.estimators.importance.BLOCK_POINTS", 7)
        model, guide = exact_pair(truth)
        batch = truth.sample(20)
        estimate = log_likelihood(model, guide, batch, num_samples=30)
        torch.testing.assert_close(estimate.value, truth.log_prob(batch), rtol=1e-9, atol=1e-9)

    def test_seed_and_generators(self, truth):
        model, guide = exact_pair(truth, wider=0.3)
        batch = truth.sample(5)
        before = torch.get_rng_state()
        first, again, other = (log_likelihood(model, guide, batch, num_samples=20, seed=s).value for s in (3, 3, 4))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(before, torch.get_rng_state())

    def test_order_of_names(self, truth):
        model, guide = exact_pair(truth, wider=0.3)
        batch = truth.sample(5)
        one, two = (
            log_likelihood(model, guide, batch, of=o, given=o, num_samples=20) for o in (list("abc"), list("cba"))
        )
        torch.testing.assert_close(one.value, two.value)

    def test_modes_gradients_and_validation_are_left_as_they_were(self):
        model, guide = pair("poe")
        model.decoders["a"].eval()
        log_likelihood(model, guide, Batch.of(data()), of=("a",), num_samples=5)
        assert model.training
        assert not model.decoders["a"].training
        assert all(p.requires_grad and p.grad is None for p in model.parameters())
        assert torch.distributions.Distribution._validate_args

    def test_batch_normalisation_does_not_see_the_batch(self):
        torch.manual_seed(0)
        parts = [
            Modality("a", Bernoulli((3,)), nn.Linear(LATENT, 3), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))),
        ]
        model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
        batch = Batch.of({"a": torch.randint(2, (8, 3)).float()})
        statistics = guide.encoders["a"][1].running_mean.clone()
        log_likelihood(model, guide, batch, num_samples=10)
        assert torch.equal(statistics, guide.encoders["a"][1].running_mean)

    def test_memory_does_not_grow_with_the_number_of_draws(self, truth):
        """What is alive between chunks: sums, and a tail that grows as the square root of K at most."""
        rows = []
        model, guide = exact_pair(truth)
        model.decoders["a"].register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
        log_likelihood(model, guide, truth.sample(50), num_samples=900)
        assert max(rows) <= 1000
        running = RunningWeights(3, 10**6, torch.device("cpu"))
        for _ in range(200):
            running.add(torch.randn(1000, 3))
        assert running._held <= 4 * running._keep + 1000


class TestOnAnAccelerator:
    def test_nothing_waits_for_the_device(self):
        """Fake tensors raise on a mix-up of devices and on every wait."""
        from torch._subclasses.fake_tensor import FakeTensorMode

        for name in ("poe", "mopoe", "set"):
            with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"), torch.no_grad():
                model, guide = pair(name)
                batch = Batch.of({n: torch.empty(v.shape) for n, v in data().items()})
                target = Target.__new__(Target)  # what it looks at once, on the real device, is given
                target.model, target.of, target.chunk_rows = model, ("a", "y"), 4
                target.complete = {"a": False, "y": True}
                target.places = [slice(0, 4), slice(4, 8)]
                target.blocks = [batch.only(["a", "y"])[place] for place in target.places]
                with pyro.validation_enabled(False):
                    target.prior = model.prior()
                    running = weigh(target, guide.posterior(batch), 70, ["ay", "a"])
                assert [r.log_mean().device.type for r in running] == ["cuda", "cuda"]


class TestSeveralAtOnce:
    OF = (("a", "y"), ("a",), ("b", "c"))

    def test_are_the_numbers_of_one_at_a_time(self):
        model, guide = pair("mopoe")
        batch = with_pattern(Batch.of(data()))
        options = {"given": ["a", "b"], "num_samples": 60, "defensive": 0.2, "chunk_rows": 7}
        together = log_likelihoods(model, guide, batch, of=self.OF, **options)
        assert [e.of for e in together] == list(self.OF)
        for of, found in zip(self.OF, together, strict=True):
            alone = log_likelihood(model, guide, batch, of=of, **options)
            for part in ("value", "standard_error", "ess", "khat", "available"):
                torch.testing.assert_close(getattr(found, part), getattr(alone, part), equal_nan=True, msg=part)

    def test_decode_every_draw_once(self, monkeypatch):
        model, guide = pair("poe")
        batch = Batch.of(data())
        decoded = []
        decode = MultimodalVAE.decode
        monkeypatch.setattr(MultimodalVAE, "decode", lambda *a: (decoded.append((a[2], len(a[1]))), decode(*a))[1])
        of = [("a", "y"), ("a",), ("y",)]
        log_likelihoods(model, guide, batch, of=of, num_samples=30, chunk_rows=10 * batch.size)
        draws = {name: sum(rows for n, rows in decoded if n == name and rows == 10) for name in ("a", "y")}
        assert draws == {"a": 30, "y": 30}

    def test_a_refined_proposal_is_fitted_to_all_of_them(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        options = {"num_samples": 40, "refine": 3}
        joint, part = log_likelihoods(model, guide, batch, of=[("a", "y"), ("a",)], **options)
        torch.testing.assert_close(joint.value, log_likelihood(model, guide, batch, of=("a", "y"), **options).value)
        assert (joint.value <= part.value).all()  # y is discrete and the draws are the same

    def test_under_half_precision_they_are_near(self):
        model, guide = pair("poe")
        batch = Batch.of(data())
        exact = log_likelihood(model, guide, batch, num_samples=200)
        with torch.autocast("cpu", torch.bfloat16):
            rough = log_likelihood(model, guide, batch, num_samples=200)
        assert rough.value.dtype == torch.float64
        error = (rough.value - exact.value).abs()
        assert 0 < error.max() < 0.2

    def test_needs_something_to_estimate(self):
        with pytest.raises(ValueError, match="at least one set of modalities, got none"):
            log_likelihoods(*pair("poe"), Batch.of(data()), of=[])

    def test_names_are_checked_in_all_of_them(self):
        with pytest.raises(ValueError, match=r"does not decode \['smell'\]"):
            log_likelihoods(*pair("poe"), Batch.of(data()), of=[("a",), ("smell",)])


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"of": ("smell",)}, r"of: the model does not decode \['smell'\]; it decodes \['a', 'b', 'c', 'y'\]"),
            ({"of": ()}, "one or more distinct modalities"),
            ({"of": ("a", "a")}, "each name once"),
            ({"given": ("y",)}, r"given: PoE does not encode \['y'\]"),
            ({"num_samples": 0}, "num_samples: expected at least 1, got 0"),
            ({"chunk_rows": 0}, "chunk_rows: expected at least 1"),
            ({"defensive": 1.0}, r"defensive: expected a share in \[0, 1\), got 1.0"),
            ({"refine": Refinement}, "steps"),
        ],
    )
    def test_bad_options(self, options, message):
        if options.get("refine") is Refinement:
            with pytest.raises(ValueError, match=message):
                Refinement(steps=-1)
            return
        with pytest.raises(ValueError, match=message):
            log_likelihood(*pair("poe"), Batch.of(data()), **options)

    def test_what_the_batch_does_not_hold(self):
        model, guide = pair("poe")
        batch = Batch.of(data()).only(["a", "b"])
        with pytest.raises(ValueError, match=r"of: the batch does not hold \['c'\]"):
            log_likelihood(model, guide, batch, of=("c",))
        with pytest.raises(ValueError, match=r"given: the batch does not hold \['c'\]"):
            log_likelihood(model, guide, batch, of=("a",), given=("a", "c"))

    def test_energies_are_refused(self):
        decoder = nn.Sequential(nn.Linear(LATENT, 12), nn.Unflatten(1, (4, 3)))
        energy = Modality("h", Pointcloud(4, density="energy"), decoder)
        parts = [*modalities(), energy]
        model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
        batch = Batch.of({**data(), energy.name: torch.zeros(6, *energy.likelihood.event_shape)})
        with pytest.raises(IncompatibleError, match="are energies"):
            log_likelihood(model, guide, batch, of=("a", energy.name))
        assert log_likelihood(model, guide, batch, of=("a",), num_samples=5).available.all()

    @pytest.mark.parametrize("likelihood", [Bernoulli((3,)), Categorical(3)])
    def test_values_without_a_likelihood_are_refused(self, likelihood):
        """Grey values under a Bernoulli, soft labels under a categorical: a number would come out."""
        parts = [Modality("x", likelihood, nn.Linear(LATENT, 3), nn.Linear(3, 4))]
        model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
        grey = torch.eye(3)
        grey[1] = torch.tensor([0.2, 0.3, 0.5])
        with pytest.raises(ValueError, match=r"'x' holds values .* cannot generate, in data points \[1\]"):
            log_likelihood(model, guide, Batch.of({"x": grey}), num_samples=5)
        hidden = Batch.of({"x": grey}, {"x": torch.tensor([True, False, True])})
        assert log_likelihood(model, guide, hidden, num_samples=5).available.tolist() == [True, False, True]

    def test_broken_weights_are_not_averaged(self, truth):
        model, guide = exact_pair(truth)
        with torch.no_grad():
            model.decoders["a"].bias[0] = torch.nan
        with pytest.raises(FloatingPointError, match=r"importance weights of data points \[0, 1, 2\]"):
            log_likelihood(model, guide, truth.sample(3), num_samples=5)


class TestEstimate:
    def estimate(self, seed=0, size=6, **options):
        truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=1)
        batch = with_pattern_of(truth, size)
        return log_likelihood(*exact_pair(truth, wider=0.3), batch, num_samples=50, seed=seed, **options)

    def test_summary_is_over_what_is_available(self):
        estimate = self.estimate(size=12)
        summary = estimate.summary()
        there = ~estimate.value.isnan()
        assert summary["n"] == there.sum() == 8
        assert summary["unavailable"] == 4
        assert summary["mean"] == pytest.approx(estimate.value[there].mean().item())
        assert summary["se"] == pytest.approx(estimate.value[there].std().item() / math.sqrt(8))
        assert "ESS" in str(estimate)

    def test_batches_are_joined_and_taken_apart(self):
        one, two = self.estimate(0), self.estimate(1, size=9)
        joined = Estimate.cat([one, two])
        torch.testing.assert_close(joined[6:].value, two.value, equal_nan=True)
        with pytest.raises(ValueError, match=r"expected estimates of log p\(a, b\)"):
            Estimate.cat([one, self.estimate(of=("a",))])
        with pytest.raises(ValueError, match="got none"):
            Estimate.cat([])


def test_one_draw_has_no_standard_error(truth):
    model, guide = truth.model(), guides.load("poe")(truth.modalities(), truth.latent_dim).double()
    estimate = log_likelihood(model, guide, truth.sample(5), num_samples=1)
    assert estimate.value.isfinite().all()
    assert estimate.standard_error.isnan().all()


def test_batches_with_seeds_of_their_own_have_errors_of_their_own(truth):
    """With one seed for all, the error of the mean would be that of a single batch."""
    model, guide = truth.model(), guides.load("poe")(truth.modalities(), truth.latent_dim).double()
    batch = truth.sample(200)
    exact = truth.log_prob(batch, truth.names).mean()

    def errors(seeds):
        joined = Estimate.cat(
            [
                log_likelihood(model, guide, batch[10 * i : 10 * i + 10], num_samples=30, seed=seed)
                for i, seed in enumerate(seeds)
            ]
        )
        return joined.mean - exact, joined.summary()["mc_se"]

    own = torch.tensor([errors([batch_seed(s, i) for i in range(20)]) for s in range(25)], dtype=torch.float64)
    shared = torch.tensor([errors([s] * 20) for s in range(25)], dtype=torch.float64)
    assert own[:, 0].std() < 2 * own[:, 1].mean()
    assert shared[:, 0].std() > 2 * own[:, 0].std()
