"""Data of a run: which set, how it is split and made binary."""

from __future__ import annotations

from pathlib import Path

from pyro_mmvae.data.labelled_images import (
    LabelledImages,
    download_labelled_images,
    mnist_sample,
    read_labelled_images,
    small_digits,
)
from pyro_mmvae.data.labelled_samples import LabelledSamples
from pyro_mmvae.data.split import count_of, permutation
from pyro_mmvae.experiments.common.memory import MemoryData
from pyro_mmvae.experiments.mnist.config import Config

TEST_SHARE = 1 / 6
"""Share of a set without a test split of its own that becomes one: MNIST's share is 1/7."""
SPLIT, SUBSET = 1, 2
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


def _samples(
    split: LabelledImages, config: Config, part: int, *, redraw: bool = False, missing: float = 0.0
) -> LabelledSamples:
    once = config.binarisation == "dynamic" and not redraw
    binarisation = "static" if once else config.binarisation
    return LabelledSamples(split, binarisation=binarisation, part=part, missing=missing, seed=config.seed)


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
            _samples(train, config, 0, redraw=True, missing=config.missing),
            _samples(validation, config, 1),
            _samples(test, config, 2),
            f"{config.dataset} from {config.data or 'an installed package'}, pixels {config.pixels}",
        )
        self.real = train, validation if config.judge == "validation" else test
