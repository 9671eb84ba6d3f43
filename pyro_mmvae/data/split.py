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


def subset(ids: list[int], samples: float | int | None, seed: int) -> list[int]:
    """Return a random subset of the numbers, in order, which depends on the seed alone.

    Args:
        ids: to choose from.
        samples: share in (0, 1] as a float, or number as an integer; all if None.
        seed: of the choice. A smaller subset is part of a larger one.

    Raises:
        ValueError: neither a share nor a number.
    """
    if samples is None:
        return ids
    if isinstance(samples, float) and 0 < samples <= 1:
        count = max(1, round(samples * len(ids)))
    elif samples >= 1 and samples == int(samples):
        count = min(int(samples), len(ids))
    else:
        raise ValueError(f"samples: expected a share in (0, 1] or a whole number, got {samples!r}")
    chosen = np.random.default_rng([seed, len(ids)]).permutation(len(ids))[:count]
    return [ids[position] for position in np.sort(chosen)]


def permutation(length: int, *key: int) -> Tensor:
    """Return the numbers below `length` in an order that depends on the key alone, int64."""
    return torch.as_tensor(np.random.default_rng(key).permutation(length))


def count_of(samples: float | None, length: int) -> int:
    """Return how many samples are meant: a share (up to 1), a number, or all (None)."""
    if samples is None:
        return length
    return min(int(samples), length) if samples > 1 else max(round(samples * length), 1)
