"""Point predictions of a guide's posteriors: each input alone, and all inputs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.table import Subset


def singles_and_joint(guide: Guide) -> dict[str, Subset]:
    """Return what posteriors may look at, by name: every input alone, and with several inputs all of them, `joint`."""
    singles: dict[str, Subset] = {name: (name,) for name in guide.inputs}
    return {**singles, "joint": guide.inputs} if len(singles) > 1 else singles


def seen_by(batch: Batch, given: Subset) -> Tensor:
    """Return the samples, bool `(B,)`, in which a posterior has anything to look at; others only show the prior."""
    return torch.stack([batch.observed[name] for name in given]).any(0)


@torch.no_grad()
def points(guide: Guide, batch: Batch, subsets: Mapping[str, Subset]) -> Tensor:
    """Return the points of R posteriors, shape `(R, B, D)`; every encoder runs once.

    Args:
        guide: see `Guide.point`.
        batch: B samples.
        subsets: what each posterior may look at, by name.
    """
    rows = {
        n: torch.tensor([[n in s] for s in subsets.values()], device=batch.device)
        for n in guide.inputs
        if n in batch.data
    }
    return guide.point(batch.seen(rows))


@torch.no_grad()
def predictions(
    model: MultimodalVAE, z: Tensor, names: Sequence[str], targets: Sequence[str]
) -> dict[str, dict[str, Tensor]]:
    """Return what the points decode to, `(B, *event)` by posterior and modality; every decoder runs once.

    Args:
        model: with decoders of the targets.
        z: shape `(R, B, D)`, e.g. from `points`.
        names: of the R posteriors.
        targets: modalities to predict.
    """
    decoded = {target: model.predict(z, target) for target in targets}
    return {name: {t: value[row] for t, value in decoded.items()} for row, name in enumerate(names)}
