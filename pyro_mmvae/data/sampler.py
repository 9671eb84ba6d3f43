"""Order of the samples, and which random draw of each: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample as drawn in one epoch; a data set makes its randomness from these and its seed."""

    index: int
    epoch: int = 0


class EpochSampler(Sampler[Draw]):
    """Yields the draws of an epoch, the same on every machine and after every restart.

    With several processes, rank r takes every world_size-th draw, beginning with the r-th. If each loads batches
    of b, then their k-th batches together are the k-th batch of `b * world_size` of a single process.

    Give it to `DataLoader(..., sampler=...)` and call `set_epoch` before each epoch (Lightning does; there, pass
    `use_distributed_sampler=False` to the trainer).

    Args:
        length: number of samples in the data set.
        shuffle: whether the order is random, anew in each epoch.
        seed: of the order; the same on all ranks.
        redraw: whether the data set draws points and augmentation anew in each epoch. Follows `shuffle` if left
            out, so that evaluation sees the same numbers each time.
        rank: this process.
        world_size: number of processes.
        drop_last: leave out what would give some ranks one sample more than others. Set it for training with
            several processes, which otherwise wait for one another forever; not for evaluation, which would
            lose up to `world_size - 1` samples.

    Raises:
        ValueError: a negative length, or a rank that is not below the world size.
    """

    def __init__(
        self,
        length: int,
        *,
        shuffle: bool,
        seed: int = 0,
        redraw: bool | None = None,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
    ) -> None:
        if length < 0 or not 0 <= rank < world_size:
            raise ValueError(
                f"expected length >= 0 and 0 <= rank < world_size, got length {length}, "
                f"rank {rank}, world_size {world_size}"
            )
        self.length = length
        self.shuffle = shuffle
        self.seed = seed
        self.redraw = shuffle if redraw is None else redraw
        self.rank = rank
        self.world_size = world_size
        self.drop_last = drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.epoch if self.redraw else 0
        for index in self._order()[: self._used()][self.rank :: self.world_size]:
            yield Draw(int(index), epoch)

    def __len__(self) -> int:
        return len(range(self.rank, self._used(), self.world_size))

    def _used(self) -> int:
        return self.length - self.length % self.world_size if self.drop_last else self.length

    def _order(self) -> np.ndarray:
        if self.shuffle:
            return np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return np.arange(self.length)
