"""The columns that a comparison of runs shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LOWER_IS_BETTER: frozenset[str] = frozenset({"k-hat > 0.7 from q(z|image+label)", "k-hat > 0.7 from q(z|image)"})

NAMES = {"joint": "log p(x,y)", "image": "log p(x)", "image_given_label": "log p(x|y)"}


def summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the log-likelihoods of both proposals, high k-hats, accuracy and coherence from `metrics.json`."""
    found = {
        f"{NAMES[name]} from q(z|{given})": _number(estimate["mean"])
        for given, estimates in metrics["log_likelihood"].items()
        for name, estimate in estimates.items()
    }
    found |= {
        f"k-hat > 0.7 from q(z|{given})": _number(estimates["joint"]["khat_over_0.7"])
        for given, estimates in metrics["log_likelihood"].items()
    }
    return found | {name.replace("_", " "): _number(metrics[name]) for name in ("label_accuracy", "coherence")}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
