"""Held-out log-likelihoods of several models on the same data points, compared in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.floats import on_host


def compare(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Compare estimates of the same log-likelihood on the same data points, point by point.

    What makes a data point hard for one model makes it hard for all: the standard error of the paired difference is far
    below those of the means. It is over data points, for models as they are; how much retraining changes is told by
    seeds.

    Args:
        estimates: by name of the model.

    Returns:
        A row for each model, the best first: `mean` and `se` over data points, `difference` to the best and its paired
        standard error `difference_se`, `mc_se`, the Monte-Carlo part of the latter, `khat_over_0.7`, the share of
        points that are not to be trusted, and `n`, the number of points, those that all estimates have.

    Raises:
        ValueError: no estimate, or estimates of something else or of other data points.
    """
    if not estimates:
        raise ValueError("expected at least one estimate, got none")
    _check_alike(estimates)
    common = torch.stack([e.available for e in estimates.values()]).all(0)
    kept = {name: e[common] for name, e in estimates.items()}
    best = max(kept, key=lambda name: kept[name].mean)
    rows = {name: _row(e, kept[best], is_best=name == best) for name, e in kept.items()}
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("mean", ascending=False)


def _check_alike(estimates: Mapping[str, Estimate]) -> None:
    (name, first), *others = estimates.items()
    for other, estimate in others:
        same = (set(estimate.of), set(estimate.on)) == (set(first.of), set(first.on))
        if not same or estimate.value.shape != first.value.shape:
            raise ValueError(
                f"expected estimates of one log-likelihood on the same data points: {name!r} is {first.quantity} on "
                f"{len(first.value)} points, {other!r} {estimate.quantity} on {len(estimate.value)}"
            )


def _row(estimate: Estimate, best: Estimate, is_best: bool) -> dict[str, float]:
    summary = estimate.summary()
    gap = on_host(estimate.value - best.value)
    # With the best itself there is no difference and no doubt about it.
    noise = (estimate.standard_error.square() + best.standard_error.square()).sum().sqrt() / max(len(gap), 1)
    return {
        "mean": summary["mean"],
        "se": summary["se"],
        "difference": float(gap.mean()),
        "difference_se": _standard_error(gap),
        "mc_se": 0.0 if is_best else float(noise),
        "khat_over_0.7": summary["khat_over_0.7"],
        "n": summary["n"],
    }


def _standard_error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
