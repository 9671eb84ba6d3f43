"""Order of the samples, and which random draw of each: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

from pyro_mmvae.data.samples import Draws


class EpochSampler(Sampler[Draws]):
    """Yields the draws of every batch of an epoch, the same on every machine and after every restart.

    With several processes, rank r takes every world_size-th draw of every batch, beginning with the r-th: together they
    have the batches of a single process. All have the same number of batches. Where the last one has fewer samples than
    there are processes, some get one without a sample.

    `make_loader` makes one, and its loader. Lightning calls `set_epoch` before each epoch; there, pass
    `use_distributed_sampler=False` to the trainer.

    Args:
        length: number of samples in the data set.
        batch_size: samples in a batch, over all processes together.
        shuffle: whether the order is random, anew in each epoch.
        seed: of the order; the same on all ranks.
        redraw: whether the data set draws points, augmentation and the like anew in each epoch. Follows `shuffle` if
            left out, so that evaluation sees the same numbers each time.
        rank: this process.
        world_size: number of processes.
        drop_last: leave out the last batch if it is incomplete: it weighs its samples more than others, and a batch of
            one has no batch statistics. Of a set that is smaller than one batch all is used that can be shared out
            evenly. Follows `shuffle` if left out; evaluation would lose samples.

    Raises:
        ValueError: a negative length, no batch size, or a rank that is not below the world size.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        redraw: bool | None = None,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool | None = None,
    ) -> None:
        if length < 0 or batch_size < 1 or not 0 <= rank < world_size:
            raise ValueError(
                f"expected length >= 0, batch_size >= 1 and 0 <= rank < world_size, got length {length}, "
                f"batch_size {batch_size}, rank {rank}, world_size {world_size}"
            )
        self.length, self.batch_size = length, batch_size
        self.shuffle, self.seed = shuffle, seed
        self.redraw = shuffle if redraw is None else redraw
        self.rank, self.world_size = rank, world_size
        self.drop_last = shuffle if drop_last is None else drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self._used() // self.batch_size)

    def __iter__(self) -> Iterator[Draws]:
        order, epoch = torch.as_tensor(self._order()[: self._used()]), self.epoch if self.redraw else 0
        for number, rows in enumerate(order.split(self.batch_size) if len(order) else ()):
            yield Draws(rows[self.rank :: self.world_size], epoch, number, self.rank)

    def _used(self) -> int:
        if not self.drop_last:
            return self.length
        unit = self.batch_size if self.length >= self.batch_size else self.world_size
        return self.length - self.length % unit

    def _order(self) -> np.ndarray:
        if self.shuffle:
            return np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return np.arange(self.length)
