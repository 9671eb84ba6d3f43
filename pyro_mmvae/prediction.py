"""What a model predicts of any modality from any others: draws, moments and quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Categorical, Independent

from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import evaluation
from pyro_mmvae.distributions.hierarchical import redrawn
from pyro_mmvae.distributions.point_set import PointSetDistribution
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.estimators.importance import CHUNK_ROWS, check_given, check_numbers
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE

LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Prediction:
    """The posterior predictive p(x_m | x_given) of every data point, by modality.

    S is the number of draws, B of data points, Q of levels. What a modality has no meaning of is left out: indices of
    classes have probabilities instead of mean, standard deviation and quantiles; the points of a cloud have no order,
    so that a cloud has draws alone.
    """

    mean: Mapping[str, Tensor]
    """E[x_m | x_given], shape `(B, *event)`."""
    std: Mapping[str, Tensor]
    """Standard deviation of x_m given x_given, shape `(B, *event)`: of its likelihood's noise and of what z is not
    known of, by the law of total variance, E[Var(x_m | z)] + Var(E[x_m | z])."""
    quantiles: Mapping[str, Tensor]
    """Quantiles of the draws of every value by itself, shape `(Q, B, *event)`."""
    probabilities: Mapping[str, Tensor]
    """For indices of classes p(c | x_given), shape `(B, *event, C)`."""
    draws: Mapping[str, Tensor]
    """Draws of x_m, shape `(S, B, *event)`; those of one number, over all modalities, belong to one draw of z."""
    levels: tuple[float, ...]
    """Levels of the quantiles."""
    of: tuple[str, ...]
    """What is predicted."""
    given: tuple[str, ...]
    """What it is predicted from, as far as it is observed."""
    num_samples: int
    """S."""


def predictive(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    given: Sequence[str] | str | None = None,
    of: Sequence[str] | str | None = None,
    num_samples: int = 100,
    levels: Sequence[float] = LEVELS,
    seed: int = 0,
    keep_draws: bool = True,
    chunk_rows: int = CHUNK_ROWS,
) -> Prediction:
    """Predict modalities from others: z from q(z | x_given), then x_m from p(x_m | z).

    It is as good as q is the posterior. Where nothing of `given` is observed z comes from the prior. A modality that
    is in `given` as well is predicted as a new measurement of the same thing would be.

    Args:
        model: decodes `of`.
        guide: looks at `given`.
        batch: B data points. What is in `of` need not be in it.
        given: what to predict from; by default all that the guide encodes and the batch holds.
        of: what to predict; by default all that the model decodes.
        num_samples: number S of draws for each data point.
        levels: of the quantiles, in [0, 1].
        seed: of the draws. The same call gives the same numbers; PyTorch's own generators are left alone.
        keep_draws: whether the result holds the draws, `S x B` values of every modality. Everything else takes memory
            for `chunk_rows` values at a time.
        chunk_rows: rows that decoders see at once.

    Raises:
        ValueError: a name that the model does not decode, or that guide or batch do not have; a number out of range.
        IncompatibleError: the likelihood of a modality is an energy, which cannot be drawn from.
    """
    of = model.names if of is None else _names(of)
    given = tuple(n for n in guide.inputs if n in batch.data) if given is None else _names(given)
    check_of(model, of)
    check_given(guide, batch, given)
    check_numbers(num_samples, chunk_rows=chunk_rows)
    if outside := [level for level in levels if not 0 <= level <= 1]:
        raise ValueError(f"levels: expected numbers in [0, 1], got {outside}")
    if not batch.size:
        raise ValueError("expected at least one data point, got an empty batch")
    parts: dict[str, dict[str, list[Tensor]]] = {}
    with torch.no_grad(), evaluation(model, guide), seeded(seed, batch.device):
        for z in _latents(model, guide, batch.given(given), num_samples, chunk_rows):
            for name in of:
                for kind, value in _summary(model, z, name, levels, keep_draws, chunk_rows).items():
                    parts.setdefault(kind, {}).setdefault(name, []).append(value)
    joined = {
        kind: {name: torch.cat(values, dim=_BATCH_DIM[kind]) for name, values in found.items()}
        for kind, found in parts.items()
    }
    return Prediction(
        **{kind: joined.get(kind, {}) for kind in _BATCH_DIM},
        levels=tuple(levels),
        of=tuple(of),
        given=tuple(given),
        num_samples=num_samples,
    )


_BATCH_DIM = {"mean": 0, "std": 0, "quantiles": 1, "probabilities": 0, "draws": 1}


def check_of(model: MultimodalVAE, of: Sequence[str]) -> None:
    """Refuse what cannot be predicted.

    Raises:
        ValueError: no name, one twice, or one that the model does not decode.
        IncompatibleError: an energy.
    """
    if not of or len(set(of)) != len(of):
        raise ValueError(f"of: expected one or more distinct modalities, got {list(of)}")
    if lacking := [n for n in of if n not in model.names]:
        raise ValueError(f"of: the model does not decode {lacking}; it decodes {list(model.names)}")
    if energies := [n for n in of if not model.normalised([n])]:
        raise IncompatibleError(
            f"the likelihoods of {energies} are energies and cannot be drawn from. Leave them out "
            f"of `of`, decode a point estimate with model.predict(guide.point(batch), name), or use a density"
        )


def _names(names: Sequence[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _latents(model: MultimodalVAE, guide: Guide, batch: Batch, num_samples: int, chunk_rows: int) -> Iterator[Tensor]:
    """Yield draws of z for some points after the others, shapes `(S, b, D)` with about `chunk_rows` rows each."""
    for start in range(0, batch.size, chunk_rows):
        block = batch[start : start + chunk_rows]
        z = _sampled(guide.posterior(block), num_samples, block.size)
        blind = ~guide.observed(block).any(-1)
        if bool(blind.any()):  # the model's own prior, whatever the guide takes it for
            prior = model.prior().sample((num_samples, block.size)).to(z.dtype)
            z = torch.where(blind.unsqueeze(-1), prior, z)
        yield from z.split(max(chunk_rows // num_samples, 1), dim=1)


def _sampled(posterior: TorchDistribution, num_samples: int, size: int) -> Tensor:
    each = redrawn(posterior, (num_samples,))
    if each is posterior:
        return posterior.expand(torch.Size([size])).sample((num_samples,))
    return each.expand(torch.Size([num_samples, size])).sample()


def _summary(
    model: MultimodalVAE, z: Tensor, name: str, levels: Sequence[float], keep_draws: bool, chunk_rows: int
) -> dict[str, Tensor]:
    parts = [_decoded(model.decode(part, name)) for part in z.split(max(chunk_rows // z.shape[1], 1))]
    decoded = {kind: torch.cat([part[kind] for part in parts]) for kind in parts[0]}
    draws, found = decoded["draws"], {}
    if keep_draws:
        found["draws"] = draws
    if "probabilities" in decoded:
        found["probabilities"] = decoded["probabilities"].mean(0)
    elif "mean" in decoded:
        means = decoded["mean"]
        found["mean"] = means.mean(0)
        found["std"] = (decoded["variance"].mean(0) + means.var(0, correction=min(1, len(z) - 1))).sqrt()
        found["quantiles"] = _quantiles(draws, levels)
    return found


def _decoded(distribution: TorchDistribution) -> dict[str, Tensor]:
    """Return a draw for every z, and what is known in closed form given z."""
    inner = distribution
    while isinstance(inner, Independent):
        inner = inner.base_dist
    found = {"draws": distribution.sample()}
    if isinstance(inner, Categorical):
        return found | {"probabilities": inner.probs}
    if isinstance(inner, PointSetDistribution):
        return found
    try:
        return found | {"mean": distribution.mean, "variance": distribution.variance}
    except NotImplementedError:  # the draws have both, with more noise
        value = (
            found["draws"].to(torch.get_default_dtype()) if not found["draws"].is_floating_point() else found["draws"]
        )
        return found | {"mean": value, "variance": torch.zeros_like(value)}


def _quantiles(draws: Tensor, levels: Sequence[float]) -> Tensor:
    """Return quantiles over dimension 0, by linear interpolation; `torch.quantile` takes no large tensors."""
    ordered = (draws if draws.is_floating_point() else draws.float()).sort(dim=0).values
    found = []
    for level in levels:
        place = level * (len(ordered) - 1)
        low = min(int(place), len(ordered) - 1)
        high = min(low + 1, len(ordered) - 1)
        found.append(torch.lerp(ordered[low], ordered[high], place - low))
    return torch.stack(found) if found else ordered[:0]
