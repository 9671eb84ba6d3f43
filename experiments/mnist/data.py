"""Data of a run: which set, how it is split, made binary and cut into batches."""

from __future__ import annotations

from typing import NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.labelled_images import (
    LabelledImages,
    download_labelled_images,
    mnist_sample,
    read_labelled_images,
    small_digits,
)
from pyro_mmvae.data.labelled_samples import LabelledSamples
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.experiments.mnist.config import Config

TEST_SHARE = 1 / 6
"""Share of a set without a test split of its own that becomes one: MNIST's share is 1/7."""
SPLIT, SUBSET, TESTED = 1, 2, 5
"""Keys that keep the run's random choices apart."""


class Splits(NamedTuple):
    """Training, held-out and test samples, with grey images."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages


def open_splits(config: Config) -> Splits:
    """Read the set and split it.

    Raises:
        FileNotFoundError: files of the set are not there.
        ImportError: a package that would hold the set is not installed.
        ValueError: files are damaged, or there are too few samples.
    """
    train, test = _published(config) if config.data is not None else _installed(config)
    rows = _permutation(len(train.labels), config.seed, SUBSET)[: _count(config.samples, len(train.labels))]
    held_out = round(config.validation * len(rows))
    if len(rows) - held_out < 1:
        raise ValueError(f"expected at least one training sample, got {len(rows)} of which {held_out} are held out")
    return Splits(train.take(rows[held_out:]), train.take(rows[:held_out]), test)


def _published(config: Config) -> tuple[LabelledImages, LabelledImages]:
    assert config.data is not None
    name = config.dataset or "mnist"
    if name == "digits":
        return _installed(config)
    if config.download:
        download_labelled_images(config.data, name)
    return read_labelled_images(config.data, name, train=True), read_labelled_images(config.data, name, train=False)


def _installed(config: Config) -> tuple[LabelledImages, LabelledImages]:
    """Split a set that comes in one piece; the test samples are the same for all runs."""
    everything = small_digits() if config.dataset == "digits" else mnist_sample()
    rows = _permutation(len(everything.labels), SPLIT)
    tested = round(TEST_SHARE * len(rows))
    return everything.take(rows[tested:]), everything.take(rows[:tested])


def _permutation(length: int, *key: int) -> Tensor:
    return torch.as_tensor(np.random.default_rng(key).permutation(length))


def _count(samples: float | None, length: int) -> int:
    if samples is None:
        return length
    return min(int(samples), length) if samples > 1 else max(round(samples * length), 1)


def _samples(
    split: LabelledImages, config: Config, part: int, *, redraw: bool = False, missing: float = 0.0
) -> LabelledSamples:
    once = config.binarisation == "dynamic" and not redraw
    binarisation = "static" if once else config.binarisation
    return LabelledSamples(split, binarisation=binarisation, part=part, missing=missing, seed=config.seed)


class MnistData(lightning.LightningDataModule):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.splits = open_splits(config)
        self.train = _samples(self.splits.train, config, 0, redraw=True, missing=config.missing)
        self.validation = _samples(self.splits.validation, config, 1)
        self.test = _samples(self.splits.test, config, 2)

    def test_batch(self, samples: int | None = None) -> Batch:
        """Return test samples in one batch: so many, drawn at random but always the same, or all."""
        rows = _permutation(len(self.test), TESTED)[:samples].sort().values
        return self.test.batch(Draws(rows))

    @property
    def steps(self) -> int:
        """Number of training steps of the whole run."""
        return len(self.train_dataloader()) * (self.config.epochs or 1)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches."""
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Return the held-out batches; none if nothing is held out."""
        return self._loader(self.validation, shuffle=False) if len(self.validation) else []

    def _loader(self, samples: LabelledSamples, shuffle: bool) -> DataLoader[Batch]:
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        return make_loader(
            samples,
            config.batch_size or 1,
            shuffle=shuffle,
            seed=config.seed,
            trainer=self.trainer,
            pin_memory=pinned,
        )
