"""Which samples of a set are used, and which are held out from training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


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


def permutation(length: int, *key: int) -> Tensor:
    """Return the numbers below `length` in an order that depends on the key alone, int64."""
    return torch.as_tensor(np.random.default_rng(key).permutation(length))


def count_of(samples: float | None, length: int) -> int:
    """Return how many samples are meant: a share (up to 1), a number, or all (None)."""
    if samples is None:
        return length
    return min(int(samples), length) if samples > 1 else max(round(samples * length), 1)
