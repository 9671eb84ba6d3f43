"""A guide's quality in nats: the inference gap of what it sees, split into approximation and amortisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import moments, posterior_under
from pyro_mmvae.checks import evaluation
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.estimators.annealing import Annealing, annealed_log_likelihood
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.floats import on_host, precise
from pyro_mmvae.estimators.importance import BLOCK_POINTS, CHUNK_ROWS, check_given
from pyro_mmvae.estimators.laplace import Laplace, laplace
from pyro_mmvae.estimators.proposal import Proposal, Refinement, refined, scored_draws
from pyro_mmvae.estimators.seeds import batch_seed, seeded
from pyro_mmvae.estimators.start import StartLike
from pyro_mmvae.estimators.target import Target, check_target
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.table import Subset

BEST_GAUSSIAN = Refinement(steps=200, learning_rate=0.02, num_samples=8, decay=True)
"""How the best diagonal Gaussian of a data point is looked for."""
CHOOSING = 200
"""Draws by which the better of two Gaussians is chosen."""


@dataclass(frozen=True)
class InferenceGap:
    """What a posterior q(z | x_S) loses against p(z | x_S), for N data points.

    Attributes:
        elbo: log p(x_S) - KL(q(z | x_S) || p(z | x_S)), the guide's own bound on log p(x_S), shape `(N,)`, nats.
        refined: the same of the best diagonal Gaussian for each data point, shape `(N,)`.
        log_likelihood: log p(x_S), annealed.
    """

    elbo: Tensor
    refined: Tensor
    log_likelihood: Estimate

    @property
    def amortisation(self) -> Tensor:
        """What one network for all data points loses, shape `(N,)`.

        Negative where a mixture, or another guide that is no Gaussian, is better than any diagonal Gaussian.
        """
        return self.refined - self.elbo

    @property
    def approximation(self) -> Tensor:
        """What the family of diagonal Gaussians loses, shape `(N,)`."""
        return self.log_likelihood.value - self.refined

    @property
    def total(self) -> Tensor:
        """KL(q(z | x_S) || p(z | x_S)), shape `(N,)`."""
        return self.log_likelihood.value - self.elbo

    @classmethod
    def cat(cls, gaps: Sequence[InferenceGap]) -> InferenceGap:
        """Join the gaps of several batches, each with a seed of its own (see `batch_seed`)."""
        elbo, best = (torch.cat([getattr(gap, name) for gap in gaps]) for name in ("elbo", "refined"))
        return cls(elbo, best, Estimate.cat([gap.log_likelihood for gap in gaps]))

    def summary(self) -> dict[str, float]:
        """Return means over the available data points, their standard errors and the number of points `n`.

        `log_likelihood`, `elbo`, and `gap`, which is `amortisation` plus `approximation`; errors end in `_se`.
        """
        there = self.log_likelihood.available
        parts = {
            "log_likelihood": self.log_likelihood.value,
            "elbo": self.elbo,
            "gap": self.total,
            "amortisation": self.amortisation,
            "approximation": self.approximation,
        }
        count = int(there.sum())
        found: dict[str, float] = {}
        for name, values in parts.items():
            kept = on_host(values[there])
            found[name] = float(kept.mean())
            found[f"{name}_se"] = float(kept.std()) / math.sqrt(count) if count > 1 else math.nan
        return {**found, "n": float(count)}


def inference_gaps(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    given: Sequence[Sequence[str]] | None = None,
    refine: Refinement = BEST_GAUSSIAN,
    annealing: Annealing | None = None,
    start: StartLike = "laplace",
    num_samples: int = 200,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> dict[Subset, InferenceGap]:
    """Split the inference gap of every subset that the guide sees into approximation and amortisation.

    Cremer et al. 2018, arXiv:1801.03558. For a subset S the gap is KL(q(z | x_S) || p(z | x_S)) = log p(x_S) - ELBO:
    what a fusion rule loses when it sees image alone, label alone, or both. The best diagonal Gaussian that gradient
    steps find for each data point lies in between. Log-likelihoods are annealed, so the gap is a
    little too small rather than too large.

    Args:
        model: the generative model, which decodes what the guide sees.
        guide: what is judged.
        batch: N data points. Where nothing of a subset is observed there is no gap; what is missing from it in part is
            left out.
        given: the subsets; by default each input that the model decodes alone, and all of them together.
        refine: how the best Gaussian is looked for.
        annealing: chains and temperatures of log p(x_S).
        start: where chains start, see `annealed_log_likelihood`.
        num_samples: draws for each of the two bounds.
        seed: of everything drawn.
        chunk_rows: rows that decoders see at once.
        progress: show bars of the chains.

    Returns:
        The gap of each subset; `gaps_table` makes a table of them, and `pyro_mmvae.plots.plot_gaps` a figure.

    Raises:
        ValueError: names that model, guide or batch do not have, an empty subset, or see `annealed_log_likelihood`.
        IncompatibleError: a likelihood of a subset is an energy.
    """
    check_count(num_samples, "num_samples")
    check_count(chunk_rows, "chunk_rows")
    subsets = subsets_of(model, guide, batch) if given is None else [names_of(names, "given") for names in given]
    for subset in subsets:
        check_target(model, batch, subset)
        check_given(guide, batch, subset)
    found = {}
    for number, subset in enumerate(subsets):
        own = batch_seed(seed, number)
        with torch.no_grad(), evaluation(model, guide), seeded(own, batch.device):
            blocks = [
                _bounds(model, guide, batch[first : first + BLOCK_POINTS], subset, refine, num_samples, chunk_rows)
                for first in range(0, batch.size, BLOCK_POINTS)
            ]
        elbo, best = (torch.cat(part) for part in zip(*blocks, strict=True))
        exact = annealed_log_likelihood(
            model,
            batch,
            guide=guide,
            of=subset,
            given=None if start == "prior" else subset,
            start=start,
            annealing=annealing,
            seed=own + 1,
            chunk_rows=chunk_rows,
            progress=progress,
        )
        nothing = torch.full_like(elbo, torch.nan)
        elbo, best = (torch.where(exact.available, part, nothing) for part in (elbo, best))
        found[subset] = InferenceGap(elbo, best, exact)
    return found


def subsets_of(model: MultimodalVAE, guide: Guide, batch: Batch) -> list[Subset]:
    """Return each input that has a density alone, and all of them together.

    Raises:
        ValueError: there is none.
    """
    inputs = [n for n in guide.inputs if n in model.names and n in batch.data and model.normalised([n])]
    if not inputs:
        raise ValueError(
            f"given: none of {list(guide.inputs)}, which the guide sees, has a density and is in the batch"
        )
    alone: list[Subset] = [(name,) for name in inputs]
    return [*alone, tuple(inputs)] if len(inputs) > 1 else alone


def gaps_table(gaps: Mapping[Subset, InferenceGap]) -> pd.DataFrame:
    """Return a row for each subset, named `a+b`, with the columns of `InferenceGap.summary`."""
    return pd.DataFrame.from_dict({"+".join(s): gap.summary() for s, gap in gaps.items()}, orient="index")


def _bounds(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    subset: Subset,
    refine: Refinement,
    num_samples: int,
    chunk_rows: int,
) -> tuple[Tensor, Tensor]:
    target = Target(model, batch, subset, chunk_rows)
    posterior = posterior_under(model, guide, batch.given(subset), target.prior)
    best = best_gaussian(posterior, target, refine)
    return _elbo(posterior, target, num_samples), _elbo(best, target, num_samples)


def best_gaussian(posterior: TorchDistribution, target: Target, refine: Refinement) -> TorchDistribution:
    """Return the diagonal Gaussian of the highest ELBO that was found for each data point.

    It is looked for from the diagonal of a Laplace Gaussian's precision, which is the optimum already where the model
    is Gaussian, or from the posterior where the model cannot be differentiated twice. The posterior's own moments stay
    where nothing better is found.
    """
    own = dist.Normal(*moments(posterior)).to_event(1)
    try:
        start: TorchDistribution = laplace(posterior, target, Laplace()).densest_diagonal()
    except IncompatibleError:
        start = own
    found = refined(start, target.log_joint, refine)
    better = (_elbo(found, target, CHOOSING) > _elbo(own, target, CHOOSING)).unsqueeze(-1)
    loc = torch.where(better, found.mean, own.mean)
    return dist.Normal(loc, torch.where(better, found.stddev, own.stddev)).to_event(1)


def _elbo(proposal: Proposal, target: Target, num_samples: int) -> Tensor:
    """Return the mean over draws of log p(x, z) - log q(z), shape `(N,)`."""
    total: Tensor | float = 0.0
    for first in range(0, num_samples, target.draws):
        z, log_density = scored_draws(proposal, min(target.draws, num_samples - first))
        total = total + (target.log_joint(z) - log_density).to(precise(z.device)).sum(0)
    return torch.as_tensor(total) / num_samples
