"""What is decoded from every input, and how good it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from pyro_mmvae import Batch, Loss
from pyro_mmvae.data.samples import Draws, Samples
from pyro_mmvae.estimators import Estimate, batch_seed, difference, log_likelihoods
from pyro_mmvae.faces.dataset import FaceBatch
from pyro_mmvae.faces.transformed import CHANNELS, COLOUR, GREY, MASKED, WATERMARK
from pyro_mmvae.metrics.pictures import psnr, ssim

ALL = "all"
COPIED = (GREY, MASKED, WATERMARK)
"""Inputs that are themselves something like the coloured picture."""
Matrix = dict[str, dict[str, float]]
_MEASURES = {"psnr": psnr, "ssim": ssim}


def subsets(inputs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what is looked at, by name: every input alone, and all."""
    names = tuple(inputs)
    return {**{name: (name,) for name in names}, ALL: names}


@torch.no_grad()
def similarities(loss: Loss, batches: Iterable[Batch], mean: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return PSNR and SSIM of every decoded picture by what was given and what is decoded, with baselines.

    Args:
        loss: in evaluation mode.
        batches: faces.
        mean: the mean of the training pictures of each modality.

    Returns:
        `psnr` and `ssim`, by `given` and `target`; `baseline`: the same of the mean picture, and of inputs that are
        taken for the coloured picture as they are.
    """
    model, guide = loss.model, loss.guide
    found: dict[str, dict[str, dict[str, list[Tensor]]]] = {name: {} for name in _MEASURES}

    def add(given: str, target: str, picture: Tensor, true: Tensor) -> None:
        for name, measure in _MEASURES.items():
            fits = name != "ssim" or min(true.shape[-2:]) >= 11
            value = measure(picture.expand_as(true).cpu(), true.cpu()) if fits else torch.full((len(true),), torch.nan)
            found[name].setdefault(given, {}).setdefault(target, []).append(value)

    for batch in batches:
        seen = batch.to(model.device)
        for given, names in subsets(guide.inputs).items():
            point = guide.point(seen.given(names))
            for target in CHANNELS:
                add(given, target, model.predict(point, target), seen.data[target])
        for target in CHANNELS:
            add("mean_picture", target, mean[target][None].to(model.device), seen.data[target])
        for name in COPIED:
            add(f"copy_of_{name}", COLOUR, seen.data[name], seen.data[COLOUR])
    means = {
        name: {g: {t: float(torch.cat(v).mean()) for t, v in row.items()} for g, row in rows.items()}
        for name, rows in found.items()
    }
    inputs = list(subsets(guide.inputs))
    baselines = [given for given in means["psnr"] if given not in inputs]
    return {
        **{name: {given: rows[given] for given in inputs} for name, rows in means.items()},
        "baseline": {given: {name: rows[given] for name, rows in means.items()} for given in baselines},
    }


def conditional_likelihoods(
    loss: Loss, batches: Iterable[Batch], *, num_samples: int, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return log p(target | given) by given and target, in nats per face; log p(given) where the two are the same.

    Both terms of log p(target, given) - log p(given) are estimated from the same draws of q(z | given).

    Args:
        loss: in evaluation mode.
        batches: faces.
        num_samples: importance samples K.
        seed: of the draws.
    """
    model, guide = loss.model, loss.guide
    found: dict[str, dict[str, list[Estimate]]] = {}
    for number, whole in enumerate(batches):
        batch = whole.to(model.device)
        for given in guide.inputs:
            of = [(given,), *((given, target) for target in CHANNELS if target != given)]
            options: dict[str, Any] = {"num_samples": num_samples, "seed": batch_seed(seed, number)}
            evidence, *joints = log_likelihoods(model, guide, batch, of=of, given=(given,), **options)
            row = found.setdefault(given, {target: [] for target in CHANNELS})
            row[given].append(evidence)
            for (_, target), joint in zip(of[1:], joints, strict=True):
                row[target].append(difference(joint, evidence, batch, (target,)))
    return {g: {t: Estimate.cat(parts).summary() for t, parts in row.items()} for g, row in found.items()}


def mean_pictures(samples: Samples[FaceBatch], most: int = 2000) -> dict[str, Tensor]:
    """Return the mean of every modality over training faces, the first ones of very many."""
    total: dict[str, Tensor] = {}
    count = 0
    for rows in torch.arange(min(len(samples), most)).split(100):
        batch = samples.batch(Draws(rows)).batch
        total = {name: total.get(name, 0) + value.sum(0) for name, value in batch.data.items()}
        count += batch.size
    return {name: value / max(count, 1) for name, value in total.items()}
