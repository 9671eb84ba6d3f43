"""Data that are in memory as a whole: splits, loaders and the samples that results are of."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws, Samples
from pyro_mmvae.data.split import permutation
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.experiments.common.run_config import RunConfig

CHUNK = 500
"""Samples that are judged between two updates of a progress bar."""
TESTED = 5
"""Key that keeps the choice of judged samples apart from other random choices."""


class MemoryData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.
        train: samples to train on.
        validation: samples that are held out from training; may be none.
        test: samples of the test set.
        title: what the data are.
    """

    def __init__(
        self, config: RunConfig, train: Samples[Batch], validation: Samples[Batch], test: Samples[Batch], title: str
    ) -> None:
        super().__init__()
        self.config, self.title = config, title
        self.train, self.validation, self.test = train, validation, test
        if not len(self.samples):
            raise ValueError(f"--judge {config.judge}: expected samples of that kind, got none")

    @property
    def samples(self) -> Samples[Batch]:
        """The split that results are of."""
        return self.validation if self.config.judge == "validation" else self.test

    def judged_rows(self, samples: int | None = None) -> Tensor:
        """Return the numbers of the judged samples: so many, drawn at random but always the same, or all."""
        return permutation(len(self.samples), TESTED)[:samples].sort().values

    def judged_batch(self, samples: int | None = None) -> Batch:
        """Return the judged samples in one batch."""
        return self.samples.batch(Draws(self.judged_rows(samples)))

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged samples; see `RunData`."""
        yield from in_chunks(self.judged_batch(samples))

    def counts(self) -> dict[str, int]:
        """Return the number of samples in each split."""
        return {"training": len(self.train), "held_out": len(self.validation), "test": len(self.test)}

    def describe(self) -> str:
        """Return title and numbers of samples."""
        return f"{self.title}: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in self.counts().items())

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches."""
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Return the held-out batches; none if nothing is held out."""
        return self._loader(self.validation, shuffle=False) if len(self.validation) else []

    def _loader(self, samples: Samples[Batch], shuffle: bool) -> DataLoader[Batch]:
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        return make_loader(
            samples, config.batch_size, shuffle=shuffle, seed=config.seed, trainer=self.trainer, pin_memory=pinned
        )


def in_chunks(batch: Batch) -> list[Batch]:
    """Cut a batch into smaller ones."""
    return [batch[begin : begin + CHUNK] for begin in range(0, batch.size, CHUNK)]
