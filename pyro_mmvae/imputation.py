"""Fill in what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import OneHotCategorical, constraints
from torch.nn.functional import one_hot

from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import evaluation
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.prediction import CHUNK_ROWS, Prediction, check_of, predictive

How = Literal["mean", "draw"]


@dataclass
class ImputedBatch(Batch):
    """A batch in which missing values have been filled, and where.

    Args:
        data: see `Batch`.
        observed: see `Batch`; what was filled counts as observed.
        filled: by modality, bool `(B,)`: which values are the model's.
    """

    filled: Mapping[str, Tensor] = field(default_factory=dict)


def impute(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    of: Sequence[str] | None = None,
    how: How = "mean",
    num_samples: int = 100,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
) -> ImputedBatch:
    """Fill in what is missing, from whatever is observed of the same data point.

    Where a data point has nothing that the guide encodes, it gets what the prior predicts.

    Args:
        model: decodes what is missing.
        guide: looks at what is there.
        batch: B data points.
        of: modalities to fill; by default all that the model decodes and the batch holds. One that the batch does not
            hold is added.
        how: "mean": the mean of the posterior predictive; of labels the most probable class, of binary values the
            likelier one, of a point cloud, which has no mean, a draw. "draw": one draw of the posterior predictive,
            consistent over modalities: several seeds make a multiple imputation.
        num_samples: draws of which the mean is taken.
        seed: of the draws.
        chunk_rows: rows that decoders see at once.

    Returns:
        A batch whose `filled` says which values are the model's. Observed values are as they were.

    Raises:
        ValueError: see `predictive`; an unknown `how`.
        IncompatibleError: see `predictive`.
    """
    if how not in get_args(How):
        raise ValueError(f"how: expected 'mean' or 'draw', got {how!r}")
    of = tuple(n for n in model.names if n in batch.data) if of is None else tuple(of)
    nothing = torch.zeros(batch.size, dtype=torch.bool, device=batch.device)
    missing = {n: ~batch.observed.get(n, nothing) for n in of}
    wanted = [n for n in of if bool(missing[n].any()) or n not in batch.data]
    data, observed = dict(batch.data), dict(batch.observed)
    if wanted:
        check_of(model, wanted)
        rows = torch.stack([missing[n] for n in wanted]).any(0).nonzero().flatten()
        prediction = predictive(
            model,
            guide,
            batch[rows],
            of=wanted,
            num_samples=1 if how == "draw" else num_samples,
            levels=(),
            seed=seed,
            keep_draws=how == "draw",
            chunk_rows=chunk_rows,
        )
        for name in wanted:
            if name in prediction.draws:
                value = prediction.draws[name][0]
            elif name in prediction.mean or name in prediction.probabilities:
                value = _likeliest(model, prediction, name)
            else:
                value = _one_draw(model, guide, batch[rows], name, seed, chunk_rows)
            data[name], observed[name] = _filled(batch, name, rows, value, missing[name])
    return ImputedBatch(data, observed, filled=missing)


def _filled(batch: Batch, name: str, rows: Tensor, value: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    old = batch.data[name] if name in batch.data else value.new_zeros(batch.size, *value.shape[1:])
    new = old.index_copy(0, rows, value.to(old.dtype))
    return torch.where(missing.reshape(-1, *[1] * (old.dim() - 1)), new, old), torch.ones_like(missing)


def _likeliest(model: MultimodalVAE, prediction: Prediction, name: str) -> Tensor:
    """Return the mean, or the likeliest value where a mean is none that the likelihood can generate."""
    if name in prediction.probabilities:
        return prediction.probabilities[name].argmax(-1)
    mean = prediction.mean[name]
    with torch.no_grad(), evaluation(model):
        distribution = model.decode(torch.zeros(1, model.latent_dim, dtype=mean.dtype, device=mean.device), name)
    if isinstance(distribution, OneHotCategorical):
        return one_hot(mean.argmax(-1), mean.shape[-1])
    support = distribution.support
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return (mean > 0.5).to(mean.dtype) if support is constraints.boolean else mean


def _one_draw(model: MultimodalVAE, guide: Guide, batch: Batch, name: str, seed: int, chunk_rows: int) -> Tensor:
    found = predictive(model, guide, batch, of=[name], num_samples=1, levels=(), seed=seed, chunk_rows=chunk_rows)
    return found.draws[name][0]
