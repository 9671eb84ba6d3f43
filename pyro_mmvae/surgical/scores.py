"""Segmentations judged: IoU and F1 by every rule, and what predictions that look at nothing are worth."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import torch
from torch import Tensor

from pyro_mmvae.metrics import SegmentationMetrics, confusion_matrices, segmentation_metrics
from pyro_mmvae.surgical.layout import CLASSES, ORGANS

Counting = Literal["summed", "per_sample"]
Averaged = Literal["organs", "all"]
AVERAGED: dict[str, Collection[int]] = {"organs": tuple(ORGANS), "all": tuple(range(len(CLASSES)))}
"""Classes that means are over."""


def score(confusion: Tensor, counting: Counting = "summed", averaged: Averaged = "organs") -> dict[str, Any]:
    """Return IoU and F1 of N samples, and the share of right pixels, in a form that JSON can hold.

    Joshi et al. (2022, section 4.4) name both scores and print no rule.

    Args:
        confusion: (N, C, C), see `confusion_matrices`.
        counting: rule of the scores that stand for the whole; both are in the result.
        averaged: classes that the means are over.
    """
    classes = AVERAGED[averaged]
    both: dict[str, SegmentationMetrics] = {
        "summed": segmentation_metrics(confusion, classes=classes),
        "per_sample": segmentation_metrics(confusion, classes=classes, per_sample=True),
    }
    chosen = both[counting]
    return {
        "iou": chosen.iou,
        "f1": chosen.f1,
        "accuracy": float(confusion.diagonal(dim1=-2, dim2=-1).sum() / confusion.sum()),
        "iou_by_class": {CLASSES[kind]: value for kind, value in chosen.iou_by_class.items()},
        "f1_by_class": {CLASSES[kind]: value for kind, value in chosen.f1_by_class.items()},
        **{rule: {"iou": found.iou, "f1": found.f1} for rule, found in both.items()},
    }


def class_counts(segmentations: Tensor) -> Tensor:
    """Count the classes of every pixel over samples (N, M, M): (M, M, C) int64."""
    return torch.stack([(segmentations == kind).sum(0) for kind in range(len(CLASSES))], dim=-1)


def baselines(counts: Tensor) -> dict[str, Tensor]:
    """Return predictions (M, M) that look at nothing.

    Args:
        counts: of the samples that a model was trained on, see `class_counts`.

    Returns:
        "majority": the most frequent class everywhere; "pixel_prior": in every pixel the class most frequent there.
    """
    return {
        "majority": counts.sum((0, 1)).argmax().expand(counts.shape[:2]),
        "pixel_prior": counts.argmax(-1),
    }


def confusion_of(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the confusion matrices (N, C, C) of predicted and true segmentations (N, M, M)."""
    return confusion_matrices(predicted.expand_as(true), true, len(CLASSES))
