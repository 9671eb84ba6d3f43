"""Data loaders whose workers never fetch an epoch before it is known which one it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from pyro_mmvae.data.sampler import EpochSampler
from pyro_mmvae.data.samples import Draws, Samples

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


class Processes(Protocol):
    """Which process of how many this is; a Lightning trainer says it."""

    @property
    def global_rank(self) -> int: ...  # noqa: D102
    @property
    def world_size(self) -> int: ...  # noqa: D102


def make_loader(
    samples: Samples[T],
    batch_size: int,
    *,
    shuffle: bool = False,
    seed: int = 0,
    redraw: bool | None = None,
    drop_last: bool | None = None,
    trainer: Processes | None = None,
    workers: int = 0,
    persistent: bool = True,
    pin_memory: bool = False,
) -> EpochLoader[T]:
    """Return the loader of a data set, in memory or on disk.

    Args:
        samples: the data set. Its batches are made in the workers.
        batch_size: samples in a batch, over all processes together.
        shuffle: whether the order is random, anew in each epoch; for training.
        seed: of the order.
        redraw: see `EpochSampler`; follows `shuffle` if left out.
        drop_last: likewise.
        trainer: whose process takes its part of every batch; None: this one takes all.
        workers: processes that make batches; 0: this one does. A set in memory needs none.
        persistent: keep them from epoch to epoch.
        pin_memory: put batches into page-locked memory, for faster copies to an accelerator.
    """
    rank, world_size = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
    sampler = EpochSampler(
        len(samples),
        batch_size,
        shuffle=shuffle,
        seed=seed,
        redraw=redraw,
        drop_last=drop_last,
        rank=rank,
        world_size=world_size,
    )
    # Without a batch size PyTorch asks for one item at a time, here a whole batch, and the collation is the identity.
    return EpochLoader(
        _Made(samples),
        batch_size=None,
        sampler=sampler,
        collate_fn=_as_it_is,
        num_workers=workers,
        persistent_workers=persistent and workers > 0,
        pin_memory=pin_memory,
    )


class _Made(Dataset[T]):
    def __init__(self, samples: Samples[T]) -> None:
        self.samples = samples

    def __getitem__(self, draws: Draws) -> T:
        return self.samples.batch(draws)


def _as_it_is(batch: Any) -> Any:
    return batch


def warn_of_early_workers(loader: Any) -> None:
    """Warn of a loader whose workers do not know the epoch from which a run is resumed."""
    if isinstance(loader, DataLoader) and loader.num_workers and not isinstance(loader, EpochLoader):
        warnings.warn(
            "the workers of the training loader had fetched their first batches before the run was resumed, in the "
            "order of epoch 0, so that its numbers are not those of a run that was never killed; use "
            "pyro_mmvae.data.loader.EpochLoader",
            stacklevel=3,
        )
