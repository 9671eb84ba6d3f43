"""Mini-batches of data that are in memory as a whole: no sample is handled alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.loader import EpochLoader


class Rows(NamedTuple):
    """Which samples a batch consists of, and from what its randomness may be made."""

    rows: Tensor
    """Numbers of samples, int64, shape `(B,)`."""
    key: tuple[int, ...] = (0,)
    """Integers that differ for every batch of a run: epoch, number of the batch in it, process."""


class RowSampler(Sampler[Rows]):
    """Yields the rows of every batch of an epoch, the same on every machine and after every restart.

    Call `set_epoch` before each epoch (Lightning does; there, pass `use_distributed_sampler=False` to the trainer).

    Args:
        length: number of samples.
        batch_size: samples in a batch, over all processes together.
        shuffle: whether the order is random, anew in each epoch; an incomplete last batch is then left out, if there
            are others.
        seed: of the order.
        rank: this process.
        world_size: number of processes; each takes every world_size-th sample of every batch.
    """

    def __init__(
        self, length: int, batch_size: int, *, shuffle: bool = False, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self.length, self.batch_size = length, batch_size
        self.shuffle, self.seed = shuffle, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole = self.length // self.batch_size
        return whole if self.shuffle and whole else -(-self.length // self.batch_size)

    def __iter__(self) -> Iterator[Rows]:
        order = torch.as_tensor(self._order())
        for number in range(len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield Rows(rows[self.rank :: self.world_size], (self.epoch, number, self.rank))

    def _order(self) -> np.ndarray:
        if self.shuffle:
            return np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return np.arange(self.length)


class _Made(Dataset[Batch]):
    def __init__(self, make: Callable[[Rows], Batch]) -> None:
        self.make = make

    def __getitem__(self, rows: Rows) -> Batch:
        return self.make(rows)


def batch_loader(make: Callable[[Rows], Batch], sampler: RowSampler, *, pin_memory: bool = False) -> DataLoader[Batch]:
    """Return a loader that makes whole batches in the main process.

    Args:
        make: makes the batch of some rows.
        sampler: says which.
        pin_memory: put batches into page-locked memory, for faster copies to an accelerator.
    """
    # Without a batch size PyTorch asks for one item at a time, here a whole batch, and the collation is the identity.
    return EpochLoader(_Made(make), batch_size=None, sampler=sampler, collate_fn=_as_it_is, pin_memory=pin_memory)


def _as_it_is(batch: Any) -> Any:
    return batch
