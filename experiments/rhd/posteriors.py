"""The posteriors of a guide that are judged, and what they predict."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyro_mmvae import Batch, Guide, Loss

Subsets = Mapping[str, tuple[str, ...]]
"""What each posterior may look at, by its name."""


def posteriors_of(guide: Guide) -> Subsets:
    """Return the subsets whose posteriors are judged, by name: every input alone, and all of them as `joint`."""
    singles: dict[str, tuple[str, ...]] = {name: (name,) for name in guide.inputs}
    return {**singles, "joint": guide.inputs} if len(singles) > 1 else singles


def seen_by(batch: Batch, given: tuple[str, ...]) -> Tensor:
    """Return the samples (B,) in which a posterior has anything to look at; the others would only show the prior."""
    return torch.stack([batch.observed[name] for name in given]).any(0)


@torch.no_grad()
def predict(loss: Loss, batch: Batch, subsets: Subsets, targets: tuple[str, ...]) -> dict[str, dict[str, Tensor]]:
    """Return point predictions, decoded at the mean of each posterior; every encoder runs once.

    Args:
        loss: model and guide.
        batch: B samples.
        subsets: see `posteriors_of`.
        targets: modalities to predict.

    Returns:
        Predictions `(B, *event)` by posterior and modality.
    """
    rows = {n: torch.tensor([[n in s] for s in subsets.values()], device=batch.device) for n in loss.guide.inputs}
    z = loss.guide.point(batch.seen(rows))
    decoded = {target: loss.model.predict(z, target) for target in targets}
    return {name: {t: value[row] for t, value in decoded.items()} for row, name in enumerate(subsets)}
