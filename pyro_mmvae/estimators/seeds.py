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
    """Draw from a stream of one's own; the generators of PyTorch are left as they were.

    Inference mode is left as well, where a caller is in it: a proposal may be fitted by gradients in here.
    """
    devices = [device.index or 0] if device.type == "cuda" else []
    gradients = torch.is_grad_enabled()
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.set_grad_enabled(gradients):
        torch.manual_seed(seed)
        yield
