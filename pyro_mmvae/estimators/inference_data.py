"""Posterior draws, predictions and pointwise log-likelihoods for ArviZ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pyro_mmvae.arguments import names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import posterior_under
from pyro_mmvae.checks import check_shapes, check_values, evaluation
from pyro_mmvae.distributions.hierarchical import draws
from pyro_mmvae.estimators.importance import check_given, check_numbers
from pyro_mmvae.estimators.of_arviz import from_groups
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.target import Target, check_target
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


def to_inference_data(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    *,
    given: Sequence[str] | None = None,
    num_samples: int = 200,
    resample: bool = False,
    seed: int = 0,
) -> Any:
    """Return what ArviZ's diagnostics and plots work on.

    Groups: `posterior` with `z` (chain, draw, sample, latent), drawn from q(z | x_given); `posterior_predictive` with a
    draw of each modality for each draw of z; `log_likelihood` with log p(x_m | z) (chain, draw, sample), NaN where
    missing; `observed_data`, NaN where missing. Modalities whose likelihood is an energy have neither predictions, as
    they cannot be sampled, nor log-likelihoods. There is one chain: draws of a guide are independent.

    Args:
        model: the generative model.
        guide: gives the posterior.
        batch: B samples.
        given: modalities that the guide may look at; all its inputs by default.
        num_samples: number of draws.
        resample: correct the guide: draw ten times as many, and resample them by their importance weights for the
            modalities `given`, with replacement. The draws are then nearer to the model's own posterior.
        seed: of the draws.

    Returns:
        An `arviz.InferenceData`, or an `xarray.DataTree` where ArviZ 1.x is installed.

    Raises:
        ValueError: names that guide or batch do not have, no draw, an empty batch, or values that a
            likelihood cannot generate.
    """
    given = tuple(guide.inputs) if given is None else names_of(given, "given")
    if not batch.size:
        raise ValueError("expected at least one data point, got an empty batch")
    check_given(guide, batch, given)
    check_numbers(num_samples)
    names = [n for n in model.names if n in batch.data]
    check_shapes(model, batch, names)
    check_values(model, batch, names)
    densities = [n for n in names if model.normalised([n])]
    with torch.no_grad(), evaluation(model, guide), seeded(seed, batch.device):
        z = _draws(model, guide, batch, given, num_samples, resample)
        scored = {n: model.decode(z, n) for n in densities}
        predictive = {n: _numpy(d.sample()) for n, d in scored.items()}
        raw = {n: d.log_prob(model.values(batch, n, d)) for n, d in scored.items()}
        scores = {n: torch.where(batch.observed[n], value, torch.nan) for n, value in raw.items()}
    groups = {
        "posterior": {"z": _numpy(z)},
        "posterior_predictive": predictive,
        "log_likelihood": {n: _numpy(value) for n, value in scores.items()},
        "observed_data": {n: _observed(batch, n) for n in names},
    }
    coords = {"sample": range(batch.size), "latent": range(model.latent_dim)}
    return from_groups(groups, coords, {"z": ["sample", "latent"], **{n: ["sample"] for n in names}})


def _draws(
    model: MultimodalVAE, guide: Guide, batch: Batch, given: tuple[str, ...], num_samples: int, resample: bool
) -> Tensor:
    posterior = posterior_under(model, guide, batch.given(given))
    if not resample:
        return draws(posterior, (num_samples,))[0]
    seen = [n for n in given if n in model.names]
    check_target(model, batch, seen)
    many, log_density = draws(posterior, (10 * num_samples,))
    target = Target(model, batch, seen, chunk_rows=batch.size)
    log_joint = torch.cat([target.log_joint(z) for z in many.split(100)])
    weights = log_joint - log_density
    chosen = torch.distributions.Categorical(logits=weights.T).sample((num_samples,))
    return many.gather(0, chosen.unsqueeze(-1).expand(*chosen.shape, many.shape[-1]))


def _numpy(value: Tensor) -> Any:
    return value.unsqueeze(0).cpu().numpy()


def _observed(batch: Batch, name: str) -> Any:
    value, mask = batch.data[name], batch.observed[name]
    shaped = mask.reshape(mask.shape + (1,) * (value.dim() - 1))
    floating = value if value.is_floating_point() else value.float()
    return torch.where(shaped, floating, torch.nan).cpu().numpy()
