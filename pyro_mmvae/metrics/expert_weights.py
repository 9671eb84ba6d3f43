"""What a guide trusts: weights and influence of its inputs, over clean and over corrupted samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.metrics.means import Means


class ExpertWeights:
    """Mean weight of each input in the joint posterior, where its own sensor is clean and where it is corrupted.

    It is taken over the samples in which all inputs are observed, and over the latent dimensions. Joshi et al. (2022)
    claim that the weight of a noisy input falls; Gupta (2021, section 5.2) finds 3 : 1 for RGB against depth.

    Args:
        of: `Guide.weights`, or `Guide.influence`, in which the experts' own precisions have their say.
    """

    def __init__(self, of: Literal["weights", "influence"] = "weights") -> None:
        self._of, self._means = of, Means()

    @torch.no_grad()
    def add(self, guide: Guide, batch: Batch, corrupted: Mapping[str, Tensor]) -> None:
        """Take B samples; a guide that has one input, or nothing of the kind, adds nothing.

        Args:
            guide: on the batch's device.
            batch: B samples.
            corrupted: bool (B,) by input; those that are not named are clean.
        """
        found = guide.weights if self._of == "weights" else guide.influence
        weights = found(batch) if len(guide.inputs) > 1 else None
        if weights is None:
            return
        complete = guide.observed(batch).all(-1)
        for name, weight in weights.items():
            spoilt = corrupted.get(name, torch.zeros_like(complete)).to(complete.device)
            for kind, rows in (("clean", complete & ~spoilt), ("corrupted", complete & spoilt)):
                self._means.add({f"{name}|{kind}": (weight[rows].mean(-1).sum(), rows.sum())})

    def mean(self) -> dict[str, dict[str, float]]:
        """Return the means by input, and by `clean` and `corrupted` where there are such samples."""
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for key, value in self._means.mean().items():
            name, _, kind = key.rpartition("|")
            found[name][kind] = value
        return dict(found)
