"""Seeds of draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def batch_seed(seed: int, number: int) -> int:
    """Return the seed of a batch among several whose estimates are joined by `Estimate.cat`.

    Batches that shared their draws would share their errors.

    Args:
        seed: of the whole.
        number: of the batch.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a stream of one's own; the generators of PyTorch are left as they were."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
