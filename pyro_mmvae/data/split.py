"""Samples held out from training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def hold_out(ids: Sequence[int], share: float, seed: int, least: int = 1) -> tuple[list[int], list[int]]:
    """Split samples into those to train on and those held out, at random by seed; both in order.

    Args:
        ids: of all samples.
        share: to hold out.
        seed: of the choice.
        least: number of samples that are held out at least, e.g. one for each process.

    Raises:
        ValueError: too few samples.
    """
    if len(ids) < 2 * least:
        raise ValueError(f"expected at least {2 * least} training samples, got {len(ids)}")
    order = np.random.default_rng([seed, 0x0A11DA7E]).permutation(len(ids))
    held_out = set(order[: max(least, round(share * len(ids)))].tolist())
    return [s for i, s in enumerate(ids) if i not in held_out], [s for i, s in enumerate(ids) if i in held_out]
