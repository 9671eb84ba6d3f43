"""Faces of a run: CelebA's folder, or drawn faces made on the spot."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws, Samples
from pyro_mmvae.data.split import count_of, permutation
from pyro_mmvae.experiments.celeba.options import FaceConfig
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.dataset import FaceBatch
from pyro_mmvae.faces.index import FaceIndex, read_index
from pyro_mmvae.faces.pictures import Square
from pyro_mmvae.faces.pixels import Pixels
from pyro_mmvae.faces.synthetic import generate
from pyro_mmvae.faces.tables import SPLITS

_CHOICE, _JUDGED = 13, 5
"""Keys that keep the random choices apart."""


class FaceData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.
        make: makes the data set of some faces.
        landmarks: whether faces need landmarks.
    """

    def __init__(
        self, config: FaceConfig, make: Callable[[Pixels], Samples[FaceBatch]], landmarks: bool = False
    ) -> None:
        super().__init__()
        self.config, self._make = config, make
        self.root = self._found()
        self.pictures = Pictures(self.root)
        self.index: FaceIndex = read_index(self.root, self.pictures, landmarks=landmarks)
        if self.index.log.counts:
            warnings.warn(f"{self.root}: {self.index.log}", stacklevel=2)
        if empty := [split for split in SPLITS if not len(self.index.rows(split))]:
            raise ValueError(f"{self.root}: expected faces in every split, got none for {', '.join(empty)}")

    def _found(self) -> Path:
        config = self.config
        if config.data is not None:
            return config.data
        return generate(config.synthetic / str(config.synthetic_faces), config.synthetic_faces)

    def part(self, split: str) -> Samples[FaceBatch]:
        """Return the faces of a split; of those to train on as many as the run is to have."""
        config, rows = self.config, self.index.rows(split)
        if split == "training":
            order = permutation(len(rows), config.seed, _CHOICE)[: count_of(config.samples, len(rows))]
            rows = rows[order.sort().values.numpy()]
        square = Square(config.side, config.crop)
        return self._make(Pixels(self.pictures, self.index, rows, square, preload=config.preload))

    @cached_property
    def train(self) -> Samples[FaceBatch]:
        """Faces to train on."""
        return self.part("training")

    @cached_property
    def held_out(self) -> Samples[FaceBatch]:
        """Faces of the validation split."""
        return self.part("validation")

    @cached_property
    def samples(self) -> Samples[FaceBatch]:
        """Faces that results are of."""
        return self.held_out if self.config.judge == "validation" else self.part("test")

    def counts(self) -> dict[str, int]:
        """Return the number of faces in each split."""
        return {"training": len(self.train), "held_out": len(self.held_out), "judged": len(self.samples)}

    def describe(self) -> str:
        """Return where the faces are from and how many there are."""
        kind = "faces in" if self.config.data else "drawn faces in"
        counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in self.counts().items())
        return f"{kind} {self.root}: {counts}; {self.config.side} x {self.config.side}, {self.config.pixels}"

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[FaceBatch]:
        """Return shuffled batches."""
        return self._loader(self.train, shuffle=True, trainer=self.trainer)

    def val_dataloader(self) -> DataLoader[FaceBatch] | list[DataLoader[FaceBatch]]:
        """Return the held-out batches where the run looks at them."""
        return self._loader(self.held_out, trainer=self.trainer) if self.config.early_stop is not None else []

    def _loader(
        self, samples: Samples[FaceBatch], shuffle: bool = False, trainer: lightning.Trainer | None = None
    ) -> DataLoader[FaceBatch]:
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        options: dict[str, Any] = {"seed": config.seed, "workers": config.workers, "pin_memory": pinned}
        return make_loader(samples, config.batch_size, shuffle=shuffle, trainer=trainer, **options)

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged faces, or so many of them, always the same; see `RunData`."""
        rows = permutation(len(self.samples), _JUDGED)[:samples].sort().values
        for part in rows.split(self.config.batch_size):
            if (batch := self.samples.batch(Draws(part)).batch).size:
                yield batch

    def left_out(self) -> dict[str, int]:
        """Return how many faces could not be used, by reason."""
        return dict(self.index.log.counts)
