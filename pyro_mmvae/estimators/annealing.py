"""Annealed importance sampling, forward and in reverse: log-likelihoods between a lower and an upper bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pyro.ops.integrator import velocity_verlet
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import evaluation
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.importance import CHUNK_ROWS, to_estimate
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.target import Target, check_target, refuse_energies
from pyro_mmvae.estimators.weights import RunningWeights
from pyro_mmvae.model import MultimodalVAE


@dataclass(frozen=True)
class Annealing:
    """How chains are annealed from the prior to the posterior.

    Args:
        num_temperatures: steps of the path p(z) p(x | z)^t from t = 0 to 1; the bounds close as it grows.
        num_chains: independent chains C for each data point.
        leapfrog_steps: of Hamiltonian Monte Carlo, one proposal at each temperature.
        acceptance: rate that the step sizes are tuned for, in a pilot run of their own.
        first_step_size: at the first temperature of the pilot run.
    """

    num_temperatures: int = 300
    num_chains: int = 16
    leapfrog_steps: int = 10
    acceptance: float = 0.65
    first_step_size: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if min(self.num_temperatures, self.num_chains, self.leapfrog_steps) < 1 or not 0 < self.acceptance < 1:
            raise ValueError(f"expected positive numbers and an acceptance rate in (0, 1), got {self}")

    def temperatures(self) -> list[float]:
        """Return t from 0 to 1, dense at both ends (a sigmoid, as Grosse et al. use)."""
        grid = torch.linspace(-4, 4, self.num_temperatures + 1, dtype=torch.float64).sigmoid()
        return ((grid - grid[0]) / (grid[-1] - grid[0])).tolist()


@dataclass(frozen=True)
class Sandwich:
    """Bounds on log p(x) of data that were simulated from the model.

    Attributes:
        batch: the data.
        lower: estimate by annealing forward, from the prior; a lower bound in expectation.
        upper: by annealing in reverse from the exact posterior draw that made the data, shape `(N,)`, nats; an upper
            bound in expectation.
    """

    batch: Batch
    lower: Estimate
    upper: Tensor

    @property
    def gap(self) -> Tensor:
        """Upper less lower, shape `(N,)`; small where annealing has converged."""
        return self.upper - self.lower.value


def annealed_log_likelihood(
    model: MultimodalVAE,
    batch: Batch,
    *,
    of: Sequence[str] | None = None,
    annealing: Annealing | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> Estimate:
    """Estimate log p(x_of) by annealed importance sampling from the prior, with no guide at all.

    Neal 2001, arXiv:physics/9803008; for decoders Wu et al. 2017, arXiv:1611.04273. Slow: one decoding, forward and
    backward, for each chain, temperature and leapfrog step. The expectation is a lower bound, tight for many
    temperatures even where importance sampling from an encoder is not.

    Args:
        model: the generative model.
        batch: N data points.
        of: modalities; all that the model decodes and the batch holds by default.
        annealing: chains and temperatures.
        seed: of everything drawn.
        chunk_rows: rows that decoders see at once.
        progress: show a bar.

    Returns:
        An estimate whose K is the number of chains; `given` is empty.

    Raises:
        ValueError, IncompatibleError, FloatingPointError: see `log_likelihood`.
    """
    of = tuple(n for n in model.names if n in batch.data) if of is None else names_of(of, "of")
    annealing = annealing or Annealing()
    check_target(model, batch, of)
    with evaluation(model), seeded(seed, batch.device):
        chains = _Chains(Target(model, batch, of, chunk_rows), annealing, progress)
        return to_estimate(_weights(chains.forward(chains.tuned())), batch, of, ())


def bidirectional(
    model: MultimodalVAE,
    num_points: int,
    *,
    of: Sequence[str] | None = None,
    annealing: Annealing | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> Sandwich:
    """Simulate data from the model and bound their log-likelihoods from both sides (bidirectional Monte Carlo).

    Grosse, Ghahramani & Adams 2015, arXiv:1511.02543. The latent vector that made a data point is an exact draw from
    its posterior; annealed from there back to the prior, the mean weight is unbiased for 1 / p(x). An estimator that is
    run on the same data, `log_likelihood(model, guide, sandwich.batch)`, has to lie below the upper bound.

    Args:
        model: the generative model.
        num_points: number N of data points to simulate.
        of: modalities; all that the model decodes by default.
        annealing: chains and temperatures.
        seed: of everything drawn.
        chunk_rows: rows that decoders see at once.
        progress: show a bar.

    Raises:
        ValueError: fewer than one data point.
        IncompatibleError: a likelihood is an energy.
    """
    check_count(num_points, "num_points")
    of, annealing = names_of(of or model.names, "of", known=model.names), annealing or Annealing()
    refuse_energies(model, of)
    with evaluation(model), seeded(seed, model.device):
        with torch.no_grad():
            z = model.prior().sample((num_points,))
            names = [name for name in model.names if model.normalised([name])]
            batch = Batch.of({name: model.decode(z, name).sample() for name in names})
        chains = _Chains(Target(model, batch, of, chunk_rows), annealing, progress)
        step_sizes = chains.tuned()
        lower = to_estimate(_weights(chains.forward(step_sizes)), batch, of, ())
        inverse = _weights(chains.reverse(z, step_sizes))
    return Sandwich(batch, lower, -inverse.log_mean())


def _weights(log_weights: Tensor) -> RunningWeights:
    weights = RunningWeights(log_weights.shape[1], len(log_weights), log_weights.device)
    weights.add(log_weights)
    return weights


@dataclass
class _State:
    """Chains at one place: z `(C, N, D)`, log p(z) and log p(x | z) `(C, N)`."""

    z: Tensor
    log_prior: Tensor
    log_likelihood: Tensor


class _Chains:
    """Chains of Hamiltonian Monte Carlo, side by side, between prior and posterior."""

    def __init__(self, target: Target, annealing: Annealing, progress: bool) -> None:
        self.target, self.annealing, self.progress = target, annealing, progress
        self.prior = target.prior
        self.temperatures = annealing.temperatures()
        self.shape = (annealing.num_chains, sum(block.size for block in target.blocks))

    def tuned(self) -> list[Tensor]:
        """Return step sizes by temperature and data point, from a pilot run whose draws are used for nothing else."""
        sizes = [torch.full((self.shape[1], 1), self.annealing.first_step_size, device=self.target.blocks[0].device)]

        def adapt(accepted: Tensor, size: Tensor) -> Tensor:
            rate = accepted.to(size.dtype).mean(0).unsqueeze(-1)
            sizes.append((size * (1 + 0.2 * (rate - self.annealing.acceptance))).clamp(1e-4, 2.0))
            return sizes[-1]

        self._forward(lambda step: sizes[-1], adapt)
        return sizes

    def forward(self, step_sizes: Sequence[Tensor]) -> Tensor:
        """Return log weights from the prior to the posterior, shape `(C, N)`: E w = p(x)."""
        return self._forward(lambda step: step_sizes[step])

    def _forward(
        self, size_at: Callable[[int], Tensor], learn: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Tensor:
        state = self._state(self.prior.sample(self.shape))
        log_weights = torch.zeros(self.shape, dtype=torch.float64, device=state.z.device)
        pairs = list(zip(self.temperatures, self.temperatures[1:], strict=False))
        for step, (before, after) in enumerate(self._bar(pairs, "pilot" if learn else "forward")):
            log_weights += (after - before) * state.log_likelihood
            state, accepted = self._move(state, after, size := size_at(step))
            if learn:
                learn(accepted, size)
        return log_weights

    def reverse(self, z: Tensor, step_sizes: Sequence[Tensor]) -> Tensor:
        """Return log weights from an exact draw of the posterior `(N, D)` to the prior: E w = 1 / p(x)."""
        state = self._state(z.expand(*self.shape, z.shape[-1]))
        log_weights = torch.zeros(self.shape, dtype=torch.float64, device=z.device)
        pairs = list(enumerate(zip(self.temperatures, self.temperatures[1:], strict=False)))
        for step, (before, after) in self._bar(pairs[::-1], "reverse"):
            state, _ = self._move(state, after, step_sizes[step])
            log_weights -= (after - before) * state.log_likelihood
        return log_weights

    def _bar(self, steps: list[Any], name: str) -> tqdm:
        return tqdm(steps, name, unit="temperature", disable=not self.progress)

    def _state(self, z: Tensor) -> _State:
        with torch.no_grad():
            return _State(z, self.prior.log_prob(z), self.target.log_likelihood(z))

    def _move(self, state: _State, temperature: float, step_size: Tensor) -> tuple[_State, Tensor]:
        """Make one proposal of Hamiltonian Monte Carlo, which leaves p(z) p(x | z)^t as it is."""
        seen: list[_State] = []

        def potential(point: dict[str, Tensor]) -> Tensor:
            z = point["z"]
            parts = _State(z, self.prior.log_prob(z), self.target.log_likelihood(z))
            seen[:] = [_State(z.detach(), parts.log_prior.detach(), parts.log_likelihood.detach())]
            return -(parts.log_prior + temperature * parts.log_likelihood).sum()

        momentum = torch.randn_like(state.z)
        with torch.enable_grad():
            _, ends, *_ = velocity_verlet(
                {"z": state.z}, {"z": momentum}, potential, lambda r: r, step_size, self.annealing.leapfrog_steps
            )
        new, end = seen[0], ends["z"].detach()
        gain = (new.log_prior - state.log_prior) + temperature * (new.log_likelihood - state.log_likelihood)
        gain = gain - 0.5 * (end.square() - momentum.square()).sum(-1)
        accepted = torch.rand_like(gain).log() < gain  # NaN, from a step that diverged, is a refusal
        kept = _State(
            torch.where(accepted.unsqueeze(-1), new.z, state.z),
            torch.where(accepted, new.log_prior, state.log_prior),
            torch.where(accepted, new.log_likelihood, state.log_likelihood),
        )
        return kept, accepted
