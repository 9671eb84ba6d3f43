"""Annealed importance sampling: log-likelihoods where no proposal fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import evaluation
from pyro_mmvae.estimators.chains import Chains, Path
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.importance import CHUNK_ROWS, check_given, to_estimate
from pyro_mmvae.estimators.laplace import Laplace
from pyro_mmvae.estimators.pilot import tuned
from pyro_mmvae.estimators.proposal import Refinement
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.start import StartLike, StartName, start_of
from pyro_mmvae.estimators.target import Target, check_target
from pyro_mmvae.estimators.temperatures import Schedule
from pyro_mmvae.estimators.weights import RunningWeights
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE

MIN_CHAINS = 40
"""Below this number of chains k-hat is not told: 25 perfect log-normal weights exceed 0.7 in 15 % of cases."""
_NUMBERS = 2**23
"""Numbers in one array of the chains, or of the points' covariances: bounds the points that are annealed together."""


@dataclass(frozen=True)
class Annealing:
    """How chains are annealed from a start to the posterior.

    Args:
        num_temperatures: steps of the path q_0(z)^(1-t) p(x, z)^t from t = 0 to 1; the bounds close as it grows. None:
            as many as `effective_share` takes, or 300 from the prior.
        num_chains: independent chains C for each data point; k-hat needs 40.
        leapfrog_steps: of Hamiltonian Monte Carlo, one proposal at each temperature. None: 4, or 10 from the prior.
        acceptance: rate that the step sizes are tuned for, in a pilot run of their own.
        first_step_size: at the first temperature of the pilot run, in coordinates in which the start is about N(0, I).
        schedule: where the temperatures are: "effective", for each data point so that every step loses the same
            effective size, by the pilot run; or "linear" or "sigmoid" for all. None: "effective", or "sigmoid" from
            the prior.
        effective_share: of the chains, that the number of temperatures is chosen for, on average over the points.
        max_temperatures: that may be chosen.
    """

    num_temperatures: int | None = None
    num_chains: int = 8
    leapfrog_steps: int | None = None
    acceptance: float = 0.8
    first_step_size: float = 0.4
    schedule: Schedule | None = None
    effective_share: float = 0.7
    max_temperatures: int = 200

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        counts = [self.num_chains, self.max_temperatures, self.num_temperatures or 1, self.leapfrog_steps or 1]
        zero = 0 in (self.num_temperatures, self.leapfrog_steps)
        if min(counts) < 1 or zero or not 0 < self.acceptance < 1:
            raise ValueError(f"expected positive numbers and an acceptance rate in (0, 1), got {self}")
        if not 0 < self.effective_share < 1 or self.first_step_size <= 0:
            raise ValueError(f"expected effective_share in (0, 1) and first_step_size > 0, got {self}")
        if self.schedule not in (None, *get_args(Schedule)):
            raise ValueError(f"schedule: expected one of {list(get_args(Schedule))}, got {self.schedule!r}")


def annealed_log_likelihood(
    model: MultimodalVAE,
    batch: Batch,
    *,
    guide: Guide | None = None,
    of: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    start: StartLike | None = None,
    annealing: Annealing | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> Estimate:
    """Estimate log p(x_of) by annealed importance sampling from a guide's posterior, or from the prior.

    Neal 2001, arXiv:physics/9803008; for decoders, from the prior, Wu et al. 2017, arXiv:1611.04273. Starting from a
    Gaussian near each point's posterior, in coordinates that it makes white, is ours: it takes some thousands of
    decodings for each point where the prior takes hundreds of thousands. The expectation is a lower bound for any
    start, tight for many temperatures even where importance sampling is not.

    Args:
        model: the generative model.
        batch: N data points.
        guide: gives the posterior that chains start from, or near.
        of: modalities; all that the model decodes and the batch holds by default.
        given: modalities that the guide may look at; all its inputs by default.
        start: "guide", the posterior as it is, mixtures included; "refined", a diagonal Gaussian fitted to each data
            point from there, or a `Refinement`; "laplace", a Gaussian of full covariance at a mode (one for each
            component of a mixture), or a `Laplace`; "prior". None: "laplace" with a guide, and "prior" without one.
        annealing: chains and temperatures.
        seed: of everything drawn. The same seed gives the same numbers, whatever `chunk_rows`, up to rounding.
        chunk_rows: rows that decoders see at once.
        progress: show a bar.

    Returns:
        An estimate whose K is the number of chains. Standard error, effective size and k-hat are those of the chains'
        weights, and mean what they mean for plain ones; k-hat is NaN for fewer than 40 chains.

    Raises:
        ValueError: an unknown start, or one that needs a guide; else see `log_likelihood`.
        IncompatibleError: an energy, or a Laplace start of what cannot be differentiated twice.
        FloatingPointError: see `log_likelihood`.
    """
    of = tuple(n for n in model.names if n in batch.data) if of is None else names_of(of, "of")
    check_target(model, batch, of)
    start, given = checked_start(guide, batch, given, start)
    check_count(chunk_rows, "chunk_rows")
    annealing, found = annealing or Annealing(), []
    with torch.no_grad(), evaluation(*([model] if guide is None else [model, guide])), seeded(seed, batch.device):
        for first, block in blocks(batch, annealing.num_chains, model.latent_dim):
            run = prepared(model, guide, block, of, given, start, annealing, chunk_rows, progress)
            log_weights = run.chains.forward(run.path, annealing.num_chains)
            found.append(chains_estimate(log_weights, block, of, given, first))
    return Estimate.cat(found)


class Prepared(NamedTuple):
    """Chains that are tuned, and the path that they take."""

    chains: Chains
    path: Path


def prepared(
    model: MultimodalVAE,
    guide: Guide | None,
    batch: Batch,
    of: tuple[str, ...],
    given: tuple[str, ...],
    start: StartLike,
    annealing: Annealing,
    chunk_rows: int,
    progress: bool,
) -> Prepared:
    """Return chains of some data points, whose start is fitted and whose temperatures and step sizes are chosen."""
    target = Target(model, batch, of, chunk_rows)
    near = start_of(start, target, batch.given(given), guide)
    far = start == "prior"
    chains = Chains(target, near, annealing.leapfrog_steps or (10 if far else 4), progress)
    return Prepared(chains, tuned(chains, annealing, far))


def checked_start(
    guide: Guide | None, batch: Batch, given: Sequence[str] | None, start: StartLike | None
) -> tuple[StartLike, tuple[str, ...]]:
    """Return the start, and what the guide may look at.

    Raises:
        ValueError: an unknown start, one that a guide is needed for, or see `check_given`.
    """
    if start is None:
        start = "prior" if guide is None else "laplace"
    if not isinstance(start, Refinement | Laplace) and start not in get_args(StartName):
        raise ValueError(
            f"start: expected one of {list(get_args(StartName))}, a Refinement or a Laplace, got {start!r}"
        )
    if guide is None:
        if start == "guide" or given is not None:
            raise ValueError(f"guide: expected a guide for start={start!r} and given={given}, got none")
        return start, ()
    if start == "prior":
        if given is not None:
            raise ValueError(f"given: nothing is looked at by chains that start from the prior, got {given}")
        return start, ()
    given = tuple(guide.inputs) if given is None else names_of(given, "given")
    check_given(guide, batch, given)
    return start, given


def blocks(batch: Batch, chains: int, latent_dim: int) -> Iterator[tuple[int, Batch]]:
    """Yield data points that are annealed together, and the number of the first; they do not depend on `chunk_rows`."""
    size = max(_NUMBERS // (latent_dim * max(chains, latent_dim)), 1)
    for first in range(0, batch.size, size):
        yield first, batch[first : first + size]


def chains_estimate(
    log_weights: Tensor, batch: Batch, of: tuple[str, ...], given: tuple[str, ...], first: int = 0
) -> Estimate:
    """Return the estimate of log weights `(C, N)` of chains."""
    weights = RunningWeights(log_weights.shape[1], len(log_weights), log_weights.device, least=MIN_CHAINS)
    weights.add(log_weights)
    return to_estimate(weights, batch, of, given, first)
