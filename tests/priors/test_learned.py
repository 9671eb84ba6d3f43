"""Learned priors: what each is made of, and that every objective trains them."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from prior_factory import LEARNED, triple
from support import LATENT, TARGETS, build, data, pair, with_pattern
from torch import nn

from pyro_mmvae import (
    Batch,
    Modality,
    MultimodalVAE,
    guides,
    objectives,
    priors,
)
from pyro_mmvae.estimators import (
    Annealing,
    annealed_log_likelihood,
)
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.priors.vamp import Vamp


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
