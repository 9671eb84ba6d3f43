"""What a data set is: something with a length that makes the batch of some draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from pyro_mmvae.batch import Batch

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample as drawn in one epoch; a data set makes its randomness from these and its seed."""

    index: int
    epoch: int = 0


class Draws(NamedTuple):
    """Which samples a batch consists of, and from what its randomness may be made."""

    rows: Tensor
    """Numbers of samples, int64, shape `(B,)`; B may be 0."""
    epoch: int = 0
    """The epoch; 0 in evaluation, where the same is drawn every time."""
    number: int = 0
    """Number of the batch in the epoch."""
    rank: int = 0
    """The process."""

    @property
    def key(self) -> tuple[int, int, int]:
        """Integers that differ for every batch of a run."""
        return self.epoch, self.number, self.rank

    def each(self) -> list[Draw]:
        """Return the draws one by one, for data sets that make one sample at a time."""
        return [Draw(row, self.epoch) for row in self.rows.tolist()]


@runtime_checkable
class Samples(Protocol[T]):
    """A data set, in memory or on disk.

    Whatever is random in a batch follows from the draws and a seed of the data set: not from a generator that others
    use too, nor from what was drawn before. Then numbers do not depend on workers, and a resumed run sees what it would
    have seen. A set whose randomness follows from sample and epoch alone (`Draws.each`) is also independent of the
    number of processes; one that uses `Draws.key` is not.
    """

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def batch(self, draws: Draws) -> T:
        """Return a `Batch`, or a record with a field `batch`, of the samples in the order of `draws.rows`."""
        ...


class InMemory:
    """A data set whose values are in memory and never change.

    Args:
        values: all samples.
    """

    def __init__(self, values: Batch) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.size

    def batch(self, draws: Draws) -> Batch:
        """Return some of the samples."""
        return self.values[draws.rows]
