"""Seeds of draws."""

from __future__ import annotations

import numpy as np


def batch_seed(seed: int, number: int) -> int:
    """Return the seed of a batch among several whose estimates are joined by `Estimate.cat`.

    Batches that shared their draws would share their errors.

    Args:
        seed: of the whole.
        number: of the batch.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
