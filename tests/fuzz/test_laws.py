"""Laws of guides, objectives and estimators on random linear-Gaussian models with random masks."""

from __future__ import annotations

import math
import random

import pytest
import torch
from fuzz.amount import CASES, SEED
from support import common_noise, unmet

from pyro_mmvae import Batch, Objective, guides, objectives
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.extended import extended


class World:
    """A random model with a guide, data of which some are hidden, and, if they fit, an objective."""

    def __init__(self, number: int) -> None:
        rng = random.Random(f"{SEED} {number}")
        torch.manual_seed(rng.randrange(2**31))
        latent = rng.randint(1, 3)
        names = rng.sample("abcde", rng.randint(1, 4))
        self.truth = LinearGaussian({n: latent + rng.randint(0, 3) for n in names}, latent, seed=number)
        self.model = self.truth.model()
        self.guide_name = rng.choice(guides.available())
        self.guide = guides.load(self.guide_name)(self.truth.modalities(), latent).double()
        complete = self.truth.sample(rng.randint(1, 7), seed=number)
        share = rng.choice((0.0, 0.3, 0.7, 1.0))
        self.batch = Batch.of(complete.data, {n: torch.rand(complete.size) >= share for n in names})
        self.complete, self.rng, self.noise_seed = complete, rng, number
        self.objective_name = rng.choice(objectives.available())
        self.objective = self._objective()

    def _objective(self) -> Objective | None:
        targets = dict.fromkeys(self.rng.sample(self.truth.names, self.rng.randint(1, len(self.truth.names))), 1.0)
        beta = self.rng.choice((0.0, 0.5, 1.0, 3.0))
        try:
            found = objectives.load(self.objective_name)(self.guide.inputs, targets, beta=beta)
        except ValueError:  # one input is too few, say
            return None
        return None if unmet(found, self.model, self.guide) else found

    def __repr__(self) -> str:
        return f"{self.guide_name}/{self.objective_name} of {self.truth.sizes}, {dict(self.batch.observed)}"

    def moments(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        posterior = self.guide.posterior(batch)
        return posterior.mean, posterior.variance

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the loss, a mean over samples, with the same noise for every sample and the same rows drawn."""
        torch.manual_seed(self.noise_seed)
        with common_noise():
            return self.objective(self.model, self.guide)(batch)


def worlds(first, count):
    return [World(number) for number in range(first, first + count)]


def order_of_samples(world):
    order = torch.randperm(world.batch.size)
    for found, again in zip(world.moments(world.batch), world.moments(world.batch[order]), strict=True):
        torch.testing.assert_close(found[order], again)
    if world.objective is not None:
        torch.testing.assert_close(world.loss(world.batch[order]), world.loss(world.batch))


def parts_of_a_batch(world):
    cut = world.rng.randint(0, world.batch.size)
    parts = [world.batch[:cut], world.batch[cut:]]
    for whole, *found in zip(world.moments(world.batch), *map(world.moments, parts), strict=True):
        torch.testing.assert_close(torch.cat(found), whole)
    if world.objective is not None and not world.objective.table.alignments:  # a mean over samples that have both
        mean = sum(world.loss(part) * part.size for part in parts) / world.batch.size
        torch.testing.assert_close(mean, world.loss(world.batch))


def hidden_values(world):
    strange = world.rng.choice((math.nan, math.inf, 1e300, -1e6))
    other = {n: torch.where(world.batch.observed[n][:, None], v, strange) for n, v in world.complete.data.items()}
    for batch in (Batch.of(other, dict(world.batch.observed)), Batch(other, world.batch.observed)):
        torch.testing.assert_close(world.moments(batch), world.moments(world.batch), rtol=0, atol=0)
        if world.objective is not None:
            torch.testing.assert_close(world.loss(batch), world.loss(world.batch), rtol=0, atol=0)


def order_of_modalities(world):
    turned = Batch.of(dict(reversed(world.batch.data.items())), dict(world.batch.observed))
    torch.testing.assert_close(world.moments(turned), world.moments(world.batch))
    if world.objective is not None:
        torch.testing.assert_close(world.loss(turned), world.loss(world.batch))


def finite_gradients(world):
    if world.objective is not None:
        world.loss(world.batch).backward()
        gradients = [p.grad for part in (world.model, world.guide) for p in part.parameters() if p.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def bounds_below_the_truth(world):
    """Of what is observed, whatever the guide, by importance weights of few draws; tight for exact experts."""
    if world.guide_name == "poe":
        world.truth.set_exact_experts(world.guide)
    table = extended(world.guide.inputs, world.truth.names).table
    weighted = Objective(table, num_particles=4, importance_weighted=True, validate=False)
    if unmet(weighted, world.model, world.guide):
        return
    seen = torch.stack([world.batch.observed[n] for n in world.guide.inputs]).any(0)  # elsewhere there is no row
    with torch.no_grad():
        draws = torch.stack([weighted.evaluate(world.model, world.guide, world.batch).per_sample for _ in range(100)])
    error = draws.std(0) / math.sqrt(len(draws))
    excess = (draws.mean(0) - world.truth.log_prob(world.batch) - 6 * error)[seen]
    assert (excess < 1e-6).all(), excess


def likelihoods_by_chunks(world):
    names = world.truth.names
    found = [
        log_likelihood(world.model, world.guide, world.complete, of=names, num_samples=20, seed=3, chunk_rows=rows)
        for rows in (1, 7, 10_000)
    ]
    for other in found[1:]:
        torch.testing.assert_close(other.value, found[0].value)


LAWS = (
    *(order_of_samples, parts_of_a_batch, hidden_values, order_of_modalities, finite_gradients),
    *(bounds_below_the_truth, likelihoods_by_chunks),
)


def broken(law, first, count):
    """Return what broke a law, by model."""
    wrong = {}
    for number, world in enumerate(worlds(first, count), first):
        try:
            law(world)
        except Exception as error:
            wrong[f"{number}: {world}"] = f"{type(error).__name__}: {error}"
    return wrong


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_few_models(law):
    assert broken(law, 0, 3) == {}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_models(law):
    assert broken(law, 3, 2 * CASES) == {}
