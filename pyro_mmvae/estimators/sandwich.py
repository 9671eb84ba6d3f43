"""Bidirectional Monte Carlo: log-likelihoods of simulated data between a lower and an upper bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import evaluation
from pyro_mmvae.estimators.annealing import Annealing, blocks, chains_estimate, checked_start, prepared
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.floats import on_host
from pyro_mmvae.estimators.importance import CHUNK_ROWS
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.simulate import simulated
from pyro_mmvae.estimators.start import StartLike
from pyro_mmvae.estimators.target import refuse_energies
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


@dataclass(frozen=True)
class Sandwich:
    """Bounds on log p(x) of data that were simulated from the model.

    Attributes:
        batch: the data.
        lower: estimate by annealing forward; a lower bound in expectation.
        upper: log of the mean weight of a reverse chain, which ends in the exact posterior draw that made the data, and
            all forward ones, shape `(N,)`, nats; an upper bound in expectation (the argument of Sobolev & Vetrov 2019,
            arXiv:1909.03881, on the space of whole chains), tighter than `inverse` where the chains are many.
        inverse: log weight of the reverse chain alone, shape `(N,)`: the upper bound of Grosse et al. 2015.
    """

    batch: Batch
    lower: Estimate
    upper: Tensor
    inverse: Tensor

    @property
    def gap(self) -> Tensor:
        """Upper less lower, shape `(N,)`; small in the mean where annealing has converged."""
        return self.upper - self.lower.value

    def summary(self) -> dict[str, float]:
        """Return means over data points: `lower`, `upper`, `gap`, its standard error `gap_se`, and their number `n`."""
        gap = on_host(self.gap)
        count = len(gap)
        return {
            "lower": self.lower.mean,
            "upper": float(on_host(self.upper).mean()),
            "gap": float(gap.mean()),
            "gap_se": float(gap.std()) / math.sqrt(count) if count > 1 else math.nan,
            "n": float(count),
        }

    def __str__(self) -> str:
        s = self.summary()
        return (
            f"{self.lower.quantity} of {s['n']:.0f} simulated data points is between {s['lower']:.3f} and "
            f"{s['upper']:.3f} nats: a gap of {s['gap']:.3f} ± {s['gap_se']:.3f}"
        )


def bidirectional(
    model: MultimodalVAE,
    num_points: int,
    *,
    guide: Guide | None = None,
    of: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    start: StartLike | None = None,
    annealing: Annealing | None = None,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> Sandwich:
    """Simulate data from the model and bound their log-likelihoods from both sides (bidirectional Monte Carlo).

    Grosse, Ghahramani & Adams 2015, arXiv:1511.02543. The latent vector that made a data point is an exact draw from
    its posterior; chains are annealed back from there to the start. An estimator that is run on the same data,
    `log_likelihood(model, guide, sandwich.batch)`, has to lie below the upper bound. The gap says what the same
    annealing loses on real data, as far as the model's own are like them.

    Args:
        model: the generative model.
        num_points: number N of data points to simulate.
        guide: gives the posterior that chains start from, or near.
        of: modalities; all that the model decodes by default.
        given: modalities that the guide may look at; by default those of its inputs that can be simulated.
        start: see `annealed_log_likelihood`.
        annealing: chains and temperatures.
        seed: of everything drawn.
        chunk_rows: rows that decoders see at once.
        progress: show a bar.

    Raises:
        ValueError: fewer than one data point, or see `annealed_log_likelihood`.
        IncompatibleError: a likelihood is an energy.
    """
    check_count(num_points, "num_points")
    check_count(chunk_rows, "chunk_rows")
    of, annealing = names_of(of or model.names, "of", known=model.names), annealing or Annealing()
    refuse_energies(model, of)
    lower, uppers, inverses = [], [], []
    count = annealing.num_chains
    with torch.no_grad(), evaluation(*([model] if guide is None else [model, guide])), seeded(seed, model.device):
        z, batch = simulated(model, num_points)
        if guide is not None and given is None and start != "prior":
            given = [n for n in guide.inputs if n in batch.data]
        start, given = checked_start(guide, batch, given, start)
        for first, block in blocks(batch, count, model.latent_dim):
            run = prepared(model, guide, block, of, given, start, annealing, chunk_rows, progress)
            forward = run.chains.forward(run.path, count)
            reverse = run.chains.reverse(z[first : first + block.size], run.path, 1)[0]
            lower.append(chains_estimate(forward, block, of, given, first))
            together = torch.logaddexp(forward.logsumexp(0), reverse) - math.log(count + 1)
            uppers.append(together)
            inverses.append(reverse)
    return Sandwich(batch, Estimate.cat(lower), torch.cat(uppers), torch.cat(inverses))
