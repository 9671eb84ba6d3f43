"""Marginal log-likelihoods by importance sampling from a guide's posterior, several from the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from tqdm import tqdm

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import posterior_under
from pyro_mmvae.checks import check_devices, check_finite, evaluation
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.proposal import Defensive, Proposal, Refinement, refined, scored_draws
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.target import Target, check_target
from pyro_mmvae.estimators.weights import RunningWeights
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE

CHUNK_ROWS = 1000
"""Rows that decoders see at once. About this many stay in a processor's cache; more is slower there, not faster."""
BLOCK_POINTS = 1000
"""Data points that are encoded together."""


def log_likelihoods(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    of: Sequence[Sequence[str]],
    given: Sequence[str] | None = None,
    num_samples: int = 1000,
    seed: int = 0,
    defensive: float = 0.0,
    refine: int | Refinement = 0,
    chunk_rows: int = CHUNK_ROWS,
    progress: bool = False,
) -> list[Estimate]:
    """Estimate several log-likelihoods from the same draws, each of which is decoded once.

    The numbers are those of `log_likelihood` with the same seed, for the time of one: log p(x, y) and log p(x) together
    cost what log p(x, y) costs. Only with `refine` do they differ, since one proposal is fitted for all of them, to the
    modalities of every `of` together.

    Args:
        model: the generative model.
        guide: gives the proposal q.
        batch: B data points.
        of: one set of modalities for each estimate.
        given: modalities that the guide may look at; all its inputs by default.
        num_samples: see `log_likelihood`, as for those that follow.
        seed: of the draws.
        defensive: share of the prior in the proposal.
        refine: steps of fitting the proposal.
        chunk_rows: rows that decoders see at once.
        progress: show a bar.

    Returns:
        One estimate for each member of `of`, in that order.

    Raises:
        ValueError: `of` is empty, or see `log_likelihood`.
    """
    if isinstance(of, str) or any(isinstance(members, str) for members in of):
        raise ValueError(f"of: expected a list of lists of names, got {of!r}; the model decodes {list(model.names)}")
    subsets = [tuple(members) for members in of]
    if not subsets:
        raise ValueError("of: expected at least one set of modalities, got none")
    given = tuple(guide.inputs) if given is None else names_of(given, "given")
    refinement = refine if isinstance(refine, Refinement) else Refinement(steps=check_count(refine, "refine", 0))
    for members in subsets:
        check_target(model, batch, members)
    check_given(guide, batch, given)
    check_numbers(num_samples, defensive, chunk_rows)
    union = tuple(dict.fromkeys(name for members in subsets for name in members))
    found: list[list[Estimate]] = [[] for _ in subsets]
    with (
        torch.no_grad(),
        evaluation(model, guide),
        seeded(seed, batch.device),
        tqdm(total=batch.size * num_samples, unit="draw", unit_scale=True, disable=not progress) as bar,
    ):
        for start in range(0, batch.size, BLOCK_POINTS):
            block = batch[start : start + BLOCK_POINTS]
            target = Target(model, block, union, chunk_rows)
            posterior = posterior_under(model, guide, block.given(given), target.prior)
            proposal = _proposal(posterior, target, defensive, refinement)
            for estimates, members, weights in zip(
                found, subsets, weigh(target, proposal, num_samples, subsets, bar), strict=True
            ):
                estimates.append(to_estimate(weights, block, members, given, start))
    return [Estimate.cat(estimates) for estimates in found]


def _proposal(posterior: TorchDistribution, target: Target, defensive: float, refinement: Refinement) -> Proposal:
    chosen: Proposal = refined(posterior, target.log_joint, refinement) if refinement.steps else posterior
    return Defensive(chosen, target.prior, defensive) if defensive else chosen


def weigh(
    target: Target,
    proposal: Proposal,
    num_samples: int,
    subsets: Sequence[Sequence[str]],
    bar: tqdm | None = None,
) -> list[RunningWeights]:
    """Draw once and weigh for each of several quantities; nothing in here waits for the device.

    Args:
        target: scores of N points, for every modality of `subsets`.
        proposal: where the draws come from.
        num_samples: K.
        subsets: modalities of each quantity.
        bar: progress.
    """
    points = sum(block.size for block in target.blocks)
    running = [RunningWeights(points, num_samples, target.blocks[0].device) for _ in subsets]
    for start in range(0, num_samples, target.draws):
        z, log_density = scored_draws(proposal, min(target.draws, num_samples - start))
        scores, log_ratio = target.scores(z), target.prior.log_prob(z) - log_density
        for weights, members in zip(running, subsets, strict=True):
            weights.add(sum((scores[name] for name in members), start=log_ratio))
        if bar is not None:
            bar.update(len(z) * points)
    return running


def to_estimate(
    weights: RunningWeights, block: Batch, of: tuple[str, ...], given: tuple[str, ...], start: int = 0
) -> Estimate:
    """Return the estimate that a stream of weights amounts to.

    Raises:
        FloatingPointError: a weight was NaN or infinite, or all of a point's weights were zero.
    """
    available = torch.stack([block.observed[n] for n in of]).any(0)
    value = weights.log_mean()
    if bool((broken := weights.broken | ~value.isfinite()).any()):
        rows = [start + i for i in broken.nonzero().flatten().tolist()]
        raise FloatingPointError(
            f"importance weights of data points {rows[:8]}{'...' if len(rows) > 8 else ''} are NaN, infinite or all "
            f"zero; look for bad values in these points and for a model that diverged"
        )
    nothing = torch.full_like(value, torch.nan)

    def where(part: torch.Tensor) -> torch.Tensor:
        return torch.where(available, part, nothing)

    return Estimate(
        value=where(value),
        standard_error=where(weights.standard_error()),
        ess=where(weights.effective_size()),
        khat=where(weights.khat()),
        available=available,
        of=of,
        given=given,
        num_samples=weights.num_samples,
    )


def check_given(guide: Guide, batch: Batch, given: Sequence[str]) -> None:
    """Refuse a proposal that looks at what it cannot see.

    Raises:
        ValueError: a name that the guide does not encode, or that is not in the batch; values there that are NaN or
            infinite, or a batch on another device.
    """
    names_of(given, "given")
    if lacking := [n for n in given if n not in guide.inputs]:
        raise ValueError(f"given: {type(guide).__name__} does not encode {lacking}; it encodes {list(guide.inputs)}")
    if lacking := [n for n in given if n not in batch.data]:
        raise ValueError(f"given: the batch does not hold {lacking}; it holds {list(batch.names)}")
    check_devices(batch, guide=guide)
    check_finite(batch, given)


def check_numbers(num_samples: int, defensive: float = 0.0, chunk_rows: int = 1) -> None:
    """Refuse numbers out of range.

    Raises:
        ValueError: there is one.
    """
    for name, value in (("num_samples", num_samples), ("chunk_rows", chunk_rows)):
        check_count(value, name)
    if not 0 <= defensive < 1:
        raise ValueError(f"defensive: expected a share in [0, 1), got {defensive}")
