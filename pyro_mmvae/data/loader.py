"""Data loaders whose workers never fetch an epoch before it is known which one it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader

T = TypeVar("T", covariant=True)


class EpochLoader(DataLoader[T]):
    """A `DataLoader` that begins an epoch when its first batch is asked for, not when `iter` is called.

    Lightning makes the iterator of the first epoch before it restores a checkpoint and calls `set_epoch`. Workers
    of a plain loader fetch their first batches there and then: a resumed run trains on the order of epoch 0 where it
    should go on with that of epoch k. Without workers nothing is fetched early.

    It takes the arguments of `DataLoader`; with a sampler that has `set_epoch` an epoch depends on its number alone,
    whatever the number of workers and whether they are persistent.
    """

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        # A generator: not a line of it runs before the first batch is asked for.
        with self._noise():
            batches = super().__iter__()
        yield from batches

    def _noise(self) -> Any:
        """Keep the noise that follows as it is in a run that was never killed.

        A loader draws its workers' seed from PyTorch's generator. Persistent workers get theirs once, in epoch 0; if
        those of a resumed run drew one in epoch k, the noise after it (in validation) would be other noise.
        """
        late = self.persistent_workers and getattr(self.sampler, "epoch", 0) > 0
        return torch.random.fork_rng(devices=[]) if late else nullcontext()
