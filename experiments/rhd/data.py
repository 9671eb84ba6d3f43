"""Data of the hand experiment: a folder in a data set's layout, or synthetic hands made on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.hand_set import HandSet
from pyro_mmvae.hands.open_set import open_set, synthetic_set

HELD_OUT = 0.05
"""Share of the training samples that are kept for validation."""


class HandData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    The training split is opened when it is needed; whether the judged samples are there is known at once.

    Args:
        config: of the run.

    Attributes:
        samples: those that results are of.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.samples = self._judged_split()

    def _judged_split(self) -> HandSet:
        if self.config.judge == "validation":
            return open_split(self.config, "training", ids=self._ids[1], **noise(self.config, "test"))
        return open_split(self.config, "evaluation", **noise(self.config, "test"))

    @cached_property
    def _ids(self) -> tuple[list[int], list[int]]:
        """Numbers in the files of the samples to train on and of those held out."""
        count = self.config.samples
        wanted = int(count) if count is not None and count > 1 else count
        everything = open_split(self.config, "training", modalities=("pose",), samples=wanted)
        return everything.hold_out(HELD_OUT, self.config.seed, least=self.config.num_processes)

    @cached_property
    def train(self) -> HandSet:
        """Samples to train on, augmented."""
        config = self.config
        ranges = AugmentationRanges((1.0, config.zoom), config.shift, config.rotation, config.flip, config.color)
        return self._part(self._ids[0], augment=ranges if config.augment else False)

    @cached_property
    def validation(self) -> HandSet:
        """Samples held out from training."""
        return self._part(self._ids[1], augment=False)

    def _part(self, ids: list[int], augment: AugmentationRanges | Literal[False]) -> HandSet:
        options = noise(self.config, "train")
        return open_split(self.config, "training", augment=augment, ids=ids, preload=self.config.preload, **options)

    def describe(self) -> str:
        """Return where the hands are from and how many there are."""
        counts = f"{len(self.train)} training, {len(self.validation)} held out, {len(self.samples)} to judge"
        return f"{'hands from' if self.config.data else 'synthetic hands in'} {data_folder(self.config)}: {counts}"

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[HandBatch]:
        """Return shuffled, augmented batches."""
        return loader(self.train, self.config, shuffle=True, trainer=self.trainer)

    def val_dataloader(self) -> DataLoader[HandBatch]:
        """Return the held-out batches."""
        return loader(self.validation, self.config, trainer=self.trainer)

    def judged_hands(self) -> DataLoader[HandBatch]:
        """Return the judged samples with their annotation, in order, the same draw every time."""
        return loader(self.samples, self.config)

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged samples, or the first ones; see `RunData`."""
        left = len(self.samples) if samples is None else samples
        for item in self.judged_hands():
            if (batch := item.batch[:left]).size:
                yield batch
            if (left := left - batch.size) <= 0:
                return


def data_folder(config: Config) -> Path:
    """Return the folder of the set, making the synthetic one if it is not there."""
    if config.data is not None:
        return config.data
    return synthetic_set(config.dataset, config.synthetic, config.synthetic_train, config.synthetic_eval)


def open_split(config: Config, split: Literal["training", "evaluation"], **options: Any) -> HandSet:
    """Open a split as the configuration wants it, without noise and augmentation.

    Args:
        config: of the run.
        split: which one.
        options: further options of the set, or others.
    """
    names = ("image_size", "num_points", "crop", "crop_margin", "root_joint", "first_joint", "mirror_right", "seed")
    chosen = {name: getattr(config, name) for name in (*names, "camera")}
    chosen |= {"heatmap_size": config.map_size, "modalities": config.flow.names}
    return open_set(config.dataset, data_folder(config), split, **{**chosen, **options})


def noise(config: Config, stage: Literal["train", "test"]) -> dict[str, Any]:
    """Return the options of a set that put noise on the samples of a stage; none where it does not act."""
    if config.corrupt not in (stage, "both"):
        return {}
    clouds = config.cloud_corrupted_share
    share = {"rgb": config.corrupted_share, "cloud": config.corrupted_share if clouds is None else clouds}
    levels = {name: getattr(config, name) for name in ("pixel_corruption", "cloud_noise")}
    return {**levels, "corrupted_share": share}


def loader(
    split: HandSet, config: Config, *, shuffle: bool = False, trainer: lightning.Trainer | None = None
) -> DataLoader[HandBatch]:
    """Return a loader with the run's workers; each of a trainer's processes takes its part of every batch."""
    pinned = config.device != "cpu" and torch.cuda.is_available()
    return make_loader(
        split,
        config.batch_size,
        shuffle=shuffle,
        seed=config.seed,
        trainer=trainer,
        workers=config.workers,
        pin_memory=pinned,
    )
