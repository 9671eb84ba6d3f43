"""How well several labels at once are predicted: F1, average precision, accuracy, log score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor


class LabelScores(NamedTuple):
    """Scores of C labels, each `(C,)` in float64; NaN where a label is there in no sample and has no score.

    Attributes:
        f1: harmonic mean of precision and recall at a probability above 1/2; 0 where a label is never found.
        average_precision: area under precision over recall, by steps (scikit-learn's).
        accuracy: share of samples in which it is told rightly whether the label is there.
        share: of samples that have the label; the average precision of a constant.
        log_score: mean log-probability of what is there or not, in nats.
    """

    f1: Tensor
    average_precision: Tensor
    accuracy: Tensor
    share: Tensor
    log_score: Tensor

    def means(self) -> dict[str, float]:
        """Return means over labels that have a score; of the log score the sum, that of all labels of a sample."""
        found = {name: float(getattr(self, name).nanmean()) for name in ("f1", "average_precision", "accuracy")}
        return {**found, "log_score": float(self.log_score.sum())}

    def by_label(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return F1, average precision and share by the label's name."""
        wanted = ("f1", "average_precision", "share")
        return {name: {n: float(getattr(self, n)[i]) for n in wanted} for i, name in enumerate(names)}


def label_scores(probability: Tensor, true: Tensor) -> LabelScores:
    """Return the scores of predicted labels.

    Args:
        probability: of each label, shape `(N, C)`.
        true: zeros and ones of the same shape.

    Raises:
        ValueError: the shapes differ, or there is no sample.
    """
    if probability.shape != true.shape or true.dim() != 2 or not len(true):
        shapes = f"{tuple(probability.shape)} and {tuple(true.shape)}"
        raise ValueError(f"expected probability and true of one shape (N, C) with N > 0, got {shapes}")
    p, t = probability.double(), true.double()
    said = (p > 0.5).double()
    there, nothing = t.sum(0), torch.full((t.shape[1],), torch.nan, dtype=torch.float64)
    f1 = 2 * (said * t).sum(0) / (said + t).sum(0).clamp_min(1)
    ranked = [average_precision_score(t[:, c].numpy(), p[:, c].numpy()) if there[c] else np.nan for c in range(len(f1))]
    safe = p.clamp(1e-6, 1 - 1e-6)
    score = t * safe.log() + (1 - t) * (1 - safe).log()
    return LabelScores(
        torch.where(there > 0, f1, nothing),
        torch.tensor(ranked, dtype=torch.float64),
        (said == t).double().mean(0),
        t.mean(0),
        score.mean(0),
    )


def best_constants(training: Tensor, true: Tensor) -> dict[str, float]:
    """Return what predictions reach that are the same for all samples: the shares of labels in training.

    The F1 is that of the better of always and never, which is always; average precision is the label's share.

    Args:
        training: zeros and ones, shape `(N, C)`.
        true: of the samples that are judged, shape `(M, C)`.
    """
    share = training.double().mean(0)
    scores = label_scores(share.expand(len(true), -1), true)
    always = 2 * scores.share / (1 + scores.share)
    there = scores.share > 0
    return {**scores.means(), "f1": float(always[there].mean()), "average_precision": float(scores.share[there].mean())}
