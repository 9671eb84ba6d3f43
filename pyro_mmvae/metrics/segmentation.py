"""Agreement of predicted and true segmentations: IoU and F1."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix


@dataclass(frozen=True)
class SegmentationMetrics:
    """IoU and F1 of segmentations, from 0 to 1; see `segmentation_metrics` for the definitions.

    Attributes:
        iou: mean intersection over union, the Jaccard index.
        f1: mean F1 score, the Dice coefficient.
        iou_by_class: of each class that is present.
        f1_by_class: of each class that is present.
    """

    iou: float
    f1: float
    iou_by_class: dict[int, float]
    f1_by_class: dict[int, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers in a form that JSON can hold."""
        return {
            "iou": {"mean": self.iou, "by_class": {str(name): value for name, value in self.iou_by_class.items()}},
            "f1": {"mean": self.f1, "by_class": {str(name): value for name, value in self.f1_by_class.items()}},
        }


def confusion_matrices(predicted: Tensor, true: Tensor, num_classes: int) -> Tensor:
    """Count each sample's pixels by true and predicted class.

    Matrices of several batches are put together by `torch.cat`, or added up.

    Args:
        predicted: class indices of shape `(N, *space)`, e.g. `Segmentation.predict`.
        true: the same.
        num_classes: C.

    Returns:
        (N, C, C) int64, rows the true class and columns the predicted one.

    Raises:
        ValueError: the shapes differ, or there is something else than whole numbers from 0 to C - 1.
    """
    if predicted.shape != true.shape or predicted.dim() < 2:
        shapes = f"{tuple(predicted.shape)} and {tuple(true.shape)}"
        raise ValueError(f"expected predicted and true of one shape (N, *space), got {shapes}")
    _check_classes("predicted", predicted, num_classes)
    _check_classes("true", true, num_classes)
    pairs = zip(predicted.flatten(1), true.flatten(1), strict=True)
    counts = [multiclass_confusion_matrix(p, t, num_classes, validate_args=False) for p, t in pairs]
    return torch.stack(counts) if counts else true.new_zeros(0, num_classes, num_classes, dtype=torch.int64)


def segmentation_metrics(
    confusion: Tensor, *, per_sample: bool = False, classes: Collection[int] | None = None
) -> SegmentationMetrics:
    """Return IoU and F1 of each class, and their means over the classes that are present.

    A class is present where it is true or predicted: TP / (TP + FP + FN) and 2 TP / (2 TP + FP + FN) are then defined.
    Gupta (2021, Table 6.5) and Joshi et al. (2022, section 4.4) name both scores and say neither over what they count
    nor whether the background is a class.

    Args:
        confusion: (N, C, C) from `confusion_matrices`, or (C, C), their sum.
        per_sample: count in each sample, average over the classes present in it, and then over the samples in which
            there are any. By default counts are summed over samples first.
        classes: those that the means are over, e.g. all but the background. None: all.

    Raises:
        ValueError: the shape does not fit, there are other classes than 0 to C - 1, or none of them is present.
    """
    if confusion.dim() not in (2, 3) or confusion.shape[-1] != confusion.shape[-2]:
        raise ValueError(f"expected confusion of shape (N, C, C) or (C, C), got {tuple(confusion.shape)}")
    if per_sample and confusion.dim() == 2:
        raise ValueError("per_sample: expected the confusion of each sample (N, C, C), got their sum (C, C)")
    chosen = sorted(range(confusion.shape[-1]) if classes is None else set(classes))
    if not chosen or not set(chosen) <= set(range(confusion.shape[-1])):
        raise ValueError(f"expected classes from 0 to {confusion.shape[-1] - 1}, got {chosen}")
    counts = confusion.reshape(-1, *confusion.shape[-2:])
    iou, f1 = _scores(counts if per_sample else counts.sum(0, keepdim=True), chosen)
    if iou.isnan().all():
        raise ValueError(f"expected a pixel of the classes {chosen}, true or predicted, got none")
    return SegmentationMetrics(_mean(iou), _mean(f1), _by_class(iou, chosen), _by_class(f1, chosen))


def _scores(counts: Tensor, chosen: list[int]) -> tuple[Tensor, Tensor]:
    """IoU and F1 (N, len(chosen)) in float64; NaN where a class is absent."""
    hit = counts.diagonal(dim1=-2, dim2=-1)[:, chosen].double()
    either = (counts.sum(-1) + counts.sum(-2))[:, chosen].double()  # 2 TP + FP + FN
    return hit / (either - hit), 2 * hit / either


def _mean(scores: Tensor) -> float:
    """Mean over the classes of a sample, then over samples."""
    return float(scores.nanmean(-1).nanmean())


def _by_class(scores: Tensor, chosen: list[int]) -> dict[int, float]:
    means = zip(chosen, scores.nanmean(0).tolist(), strict=True)
    return {name: value for name, value in means if value == value}  # NaN: in no sample


def _check_classes(name: str, value: Tensor, num_classes: int) -> None:
    wanted = f"expected {name} classes as whole numbers from 0 to {num_classes - 1}"
    if value.is_floating_point():
        raise ValueError(f"{wanted}, got {value.dtype}")
    if value.numel() and not 0 <= int(value.min()) <= int(value.max()) < num_classes:
        raise ValueError(f"{wanted}, got {int(value.min())} to {int(value.max())}")
