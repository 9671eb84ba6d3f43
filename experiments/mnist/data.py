"""Data of a run: which set, how it is split and made binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import one_hot

from pyro_mmvae import Batch
from pyro_mmvae.data.batches import Rows
from pyro_mmvae.data.binarise import binarise
from pyro_mmvae.data.labelled_images import (
    CLASSES,
    LabelledImages,
    download_labelled_images,
    mnist_sample,
    read_labelled_images,
    small_digits,
)
from pyro_mmvae.experiments.common.memory import MemoryData, count_of, permutation
from pyro_mmvae.experiments.mnist.config import Config

IMAGE, LABEL = "image", "label"
TEST_SHARE = 1 / 6
"""Share of a set without a test split of its own that becomes one: MNIST's share is 1/7."""
STATIC = 0
"""Key of the static binarisation: one draw for all runs."""
SPLIT, SUBSET, HIDDEN, REDRAWN = 1, 2, 3, 4
"""Keys that keep the run's random choices apart."""


def open_splits(config: Config) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Return training, held-out and test samples, with grey images.

    Raises:
        FileNotFoundError: files of the set are not there.
        ImportError: a package that would hold the set is not installed.
        ValueError: files are damaged, or there are too few samples.
    """
    train, test = _published(config, config.data) if config.data is not None else _installed(config)
    rows = permutation(len(train.labels), config.seed, SUBSET)[: count_of(config.samples, len(train.labels))]
    held_out = round(config.validation * len(rows))
    if len(rows) - held_out < 1:
        raise ValueError(f"expected at least one training sample, got {len(rows)} of which {held_out} are held out")
    return train.take(rows[held_out:]), train.take(rows[:held_out]), test


def _published(config: Config, folder: Path) -> tuple[LabelledImages, LabelledImages]:
    if config.download:
        download_labelled_images(folder, config.dataset)
    train, test = (read_labelled_images(folder, config.dataset, train=train) for train in (True, False))
    return train, test


def _installed(config: Config) -> tuple[LabelledImages, LabelledImages]:
    """Split a set that comes in one piece; the test samples are the same for all runs."""
    everything = small_digits() if config.dataset == "digits" else mnist_sample()
    rows = permutation(len(everything.labels), SPLIT)
    tested = round(TEST_SHARE * len(rows))
    return everything.take(rows[tested:]), everything.take(rows[:tested])


class Images:
    """Makes batches of one split.

    Args:
        split: its samples.
        config: of the run.
        part: number of the split; the static draws of the splits differ.
        redraw: draw binary images anew each time, if the binarisation is dynamic.
        missing: share of labels that are hidden.
    """

    def __init__(
        self, split: LabelledImages, config: Config, part: int, *, redraw: bool = False, missing: float = 0.0
    ) -> None:
        self.seed = config.seed
        self.redraw = redraw and config.binarisation == "dynamic"
        self.grey = config.binarisation == "none"
        images = split.images.flatten(1)
        self.images = images if self.grey or self.redraw else binarise(images, STATIC, part)
        hidden = np.random.default_rng([config.seed, HIDDEN]).random(len(split.labels)) < missing
        self.seen = torch.as_tensor(~hidden)
        self.labels = one_hot(split.labels, CLASSES).float() * self.seen.unsqueeze(-1)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, chosen: Rows) -> Batch:
        """Return the batch of some rows; binary images that are redrawn depend on seed and key."""
        rows = chosen.rows
        images = self.images[rows]
        if self.redraw:
            images = binarise(images, self.seed, REDRAWN, *chosen.key)
        pixels = images.float().mul_(1 / 255) if self.grey else images.float()
        # Not `Batch.of`: what it checks cannot happen here.
        observed = {IMAGE: torch.ones(len(rows), dtype=torch.bool), LABEL: self.seen[rows]}
        return Batch({IMAGE: pixels, LABEL: self.labels[rows]}, observed)


class MnistData(MemoryData):
    """Loaders of one run.

    Args:
        config: of the run.

    Attributes:
        real: grey training images and those that are judged, with their labels.
    """

    def __init__(self, config: Config) -> None:
        train, validation, test = open_splits(config)
        super().__init__(
            config,
            Images(train, config, 0, redraw=True, missing=config.missing),
            Images(validation, config, 1),
            Images(test, config, 2),
            f"{config.dataset} from {config.data or 'an installed package'}, pixels {config.pixels}",
        )
        self.real = train, validation if config.judge == "validation" else test
