"""Log-likelihoods by one call, importance-sampled or annealed."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.arguments import names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.estimators.annealing import Annealing, annealed_log_likelihood
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.importance import CHUNK_ROWS, log_likelihoods
from pyro_mmvae.estimators.proposal import Refinement
from pyro_mmvae.estimators.start import StartLike
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


def log_likelihood(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    of: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    num_samples: int = 1000,
    seed: int = 0,
    defensive: float = 0.0,
    refine: int | Refinement = 0,
    anneal: bool | Annealing = False,
    start: StartLike | None = None,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> Estimate:
    """Estimate log p(x_of) = log E_{q(z | x_given)} [ p(x_of | z) p(z) / q(z | x_given) ] for every data point.

    Burda et al. 2016, arXiv:1509.00519. In expectation the estimate is a lower bound that rises with K; its error bar,
    effective sample size and k-hat say how far it can be trusted. A modality of `of` that a point lacks is left out of
    its log-likelihood; one of `given` that it lacks is hidden from the guide. Memory does not grow with K. Model and
    guide are run in evaluation mode, without gradients, and are left as they were.

    Args:
        model: the generative model.
        guide: gives the proposal q.
        batch: B data points.
        of: modalities whose joint log-likelihood is estimated; by default all that the model decodes and the batch
            holds.
        given: modalities that the guide may look at; all its inputs by default. With none of them the proposal is the
            prior.
        num_samples: number of draws K for each data point.
        seed: of the draws. The same seed gives the same numbers, whatever `chunk_rows`, up to rounding;
            PyTorch's own generators are left alone.
        defensive: share of the prior in the proposal, in [0, 1); some of it bounds the weights.
        refine: steps of fitting a Gaussian to each data point before drawing from it, or a `Refinement`.
        anneal: move chains from near the posterior to it instead of weighing draws: some thousands of decodings for
            each point, and right where k-hat is high; True or an `Annealing`. See `annealed_log_likelihood`, which this
            calls; `num_samples` has no meaning then.
        start: of annealing; "laplace" by default.
        chunk_rows: rows that decoders see at once: less for decoders that need much memory, more on an accelerator.
        progress: show a bar.

    Raises:
        ValueError: names that model, guide or batch do not have; a number out of range; values that the likelihood
            cannot generate; `start` without `anneal`, or `defensive` or `refine` with it.
        IncompatibleError: a likelihood of `of` is an energy.
        FloatingPointError: weights that are NaN or infinite, with the data points concerned.
    """
    if anneal:
        if defensive or refine:
            raise ValueError("anneal: it has a start instead of `defensive` and `refine`; leave them out")
        return annealed_log_likelihood(
            model,
            batch,
            guide=guide,
            of=of,
            given=given,
            start=start,
            annealing=anneal if isinstance(anneal, Annealing) else None,
            seed=seed,
            chunk_rows=chunk_rows,
            progress=progress,
        )
    if start is not None:
        raise ValueError(f"start: it belongs to anneal=True, which is missing; got {start!r}")
    of = tuple(n for n in model.names if n in batch.data) if of is None else names_of(of, "of")
    return log_likelihoods(
        model,
        guide,
        batch,
        of=[of],
        given=given,
        num_samples=num_samples,
        seed=seed,
        defensive=defensive,
        refine=refine,
        chunk_rows=chunk_rows,
        progress=progress,
    )[0]
