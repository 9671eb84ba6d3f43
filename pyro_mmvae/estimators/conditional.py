"""Conditional log-likelihoods: a joint less an evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from pyro_mmvae.arguments import names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.estimators.annealing import Annealing
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.likelihood import log_likelihood
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


def conditional_log_likelihood(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    of: Sequence[str],
    on: Sequence[str],
    given: Sequence[str] | None = None,
    evidence: Literal["prior", "importance"] = "importance",
    given_evidence: Sequence[str] | None = None,
    num_samples: int = 1000,
    seed: int = 0,
    anneal: bool | Annealing = False,
    **options: Any,
) -> Estimate:
    """Estimate log p(x_of | x_on) = log p(x_of, x_on) - log p(x_on) for every data point.

    The first is a lower bound in expectation and so is the second: the difference is none, and errs to the high side
    where the evidence is hard to estimate.

    Args:
        model: the generative model.
        guide: gives the proposals.
        batch: B data points. Where `on` is missing from one, its evidence is log 1 and the result is log p(x_of).
        of: what is predicted.
        on: what is known; none of it may be in `of`.
        given: what the proposal of the joint looks at; all the guide's inputs by default.
        evidence: how log p(x_on) is estimated: by importance sampling, or "prior", as log E_{p(z)} p(x_on | z)
            ("Generalizing multimodal variational methods to sets", section 4.1), which is good for a label and hopeless
            for an image.
        given_evidence: what the proposal of the evidence looks at; by default those of `on` that the guide encodes.
        num_samples: draws for each of the two.
        seed: of the draws; the evidence has a stream of its own.
        anneal: as in `log_likelihood`, for the joint and for evidence by "importance"; evidence from the "prior" stays
            as it is, with `num_samples` draws.
        options: `defensive`, `refine`, `start`, `chunk_rows` and `progress` of `log_likelihood`; the first three do not
            change evidence from the prior.

    Returns:
        Standard errors are combined; effective sample size and k-hat are the worse of the two.

    Raises:
        ValueError: `of` and `on` overlap, an unknown `evidence`, or see `log_likelihood`.
    """
    of, on = names_of(of, "of"), names_of(on, "on")
    if both := sorted(set(of) & set(on)):
        raise ValueError(f"expected `of` and `on` without a modality in common, both have {both}")
    if evidence not in ("prior", "importance"):
        raise ValueError(f"evidence: expected 'prior' or 'importance', got {evidence!r}")
    if evidence == "prior" and given_evidence:
        raise ValueError(f"given_evidence = {list(given_evidence)} belongs to evidence='importance', got 'prior'")
    visible = [n for n in on if n in guide.inputs] if given_evidence is None else given_evidence
    settings = {"num_samples": num_samples, **options}

    def estimated(names: Sequence[str], looks_at: Sequence[str] | None, seed: int) -> Estimate:
        return log_likelihood(model, guide, batch, of=names, given=looks_at, seed=seed, anneal=anneal, **settings)

    from_prior = options.get("start") == "prior"  # whose chains look at nothing
    joint = estimated([*of, *on], given, seed)
    if evidence == "importance":
        below = estimated(on, None if from_prior else visible, seed + 1)
    else:  # draws from the prior are what is asked for: they are not improved upon
        plain = {n: v for n, v in settings.items() if n not in ("defensive", "refine", "start")}
        below = log_likelihood(model, guide, batch, of=on, given=(), seed=seed + 1, **plain)
    return difference(joint, below, batch, of)


def difference(joint: Estimate, evidence: Estimate, batch: Batch, of: Sequence[str]) -> Estimate:
    """Return log p(x_of | x_on) from estimates of log p(x_of, x_on) and log p(x_on), for those who have both.

    Args:
        joint: log p(x_of, x_on).
        evidence: log p(x_on). Where it is not available the result is the joint.
        batch: the data points, whose observations say where there is something to predict.
        of: what is predicted.

    Raises:
        ValueError: names in `of` that the batch does not hold, or none.
    """
    if not (of := names_of(of, "of", known=batch.data)):
        raise ValueError(f"of: expected one or more modalities, got none; the batch holds {list(batch.names)}")
    known = evidence.available
    predicted = torch.stack([batch.observed[n] for n in of]).any(0)
    nothing = torch.full_like(joint.value, torch.nan)

    def combined(both: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        return torch.where(predicted, torch.where(known, both, alone), nothing)

    error = (joint.standard_error.square() + evidence.standard_error.square()).sqrt()
    return Estimate(
        value=combined(joint.value - evidence.value, joint.value),
        standard_error=combined(error, joint.standard_error),
        ess=combined(torch.minimum(joint.ess, evidence.ess), joint.ess),
        khat=combined(torch.maximum(joint.khat, evidence.khat), joint.khat),
        available=predicted,
        of=tuple(of),
        given=joint.given,
        num_samples=joint.num_samples,
        on=evidence.of,
    )
