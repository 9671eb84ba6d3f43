"""Data of the hand experiment: a folder in RHD's layout, or synthetic hands made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.hands.batch import HandBatch
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.hands.synthetic import generate

HELD_OUT = 0.05
"""Share of the training samples that are kept for validation."""


def data_folder(config: Config) -> Path:
    """Return the folder of the set, making the synthetic one if it is not there."""
    if config.data is not None:
        return config.data
    counts = (config.synthetic_train, config.synthetic_eval)
    return generate(config.synthetic / f"{counts[0]}+{counts[1]}", *counts, seed=0)


def open_split(config: Config, split: str, *, augment: bool = False, modalities: Any = None, **changes: Any) -> RHD:
    """Open a split as the configuration wants it.

    Args:
        config: of the run.
        split: "training" or "evaluation".
        augment: see `RHD`.
        modalities: names; all that the setting encodes or decodes by default.
        changes: further options of `RHD`.
    """
    stage = "train" if split == "training" else "test"
    noisy = config.corrupt in (stage, "both")
    names = modalities or tuple(dict.fromkeys((*config.flow.inputs, *config.flow.targets)))
    chosen: dict[str, Any] = {
        "image_size": config.image_size,
        "num_points": config.num_points,
        "heatmap_size": config.map_size,
        "modalities": names,
        "augment": augment,
        "seed": config.seed,
        "pixel_corruption": config.pixel_corruption if noisy else 0.0,
        "cloud_noise": config.cloud_noise if noisy else 0.0,
        "corrupted_share": config.corrupted_share,
    }
    return RHD(data_folder(config), split, **{**chosen, **changes})


class HandData(lightning.LightningDataModule):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self._train: RHD | None = None
        self._validation: RHD | None = None

    def prepare_data(self) -> None:
        """Make the synthetic set, in one process of each machine."""
        data_folder(self.config)

    def setup(self, stage: str) -> None:
        """Open the training split and hold some of it out."""
        if self._train is not None:
            return
        everything = open_split(self.config, "training", modalities=("pose",), samples=_count(self.config.samples))
        kept, held_out = split_ids(everything.ids, self.config.seed, least=self.config.devices * self.config.nodes)
        self._train = self._open(kept, augment=self.config.augment)
        self._validation = self._open(held_out, augment=False)

    def _open(self, ids: list[int], augment: bool) -> RHD:
        return open_split(self.config, "training", augment=augment, ids=ids, preload=bool(self.config.preload))

    @property
    def train_ids(self) -> list[int]:
        """Numbers in the files of the samples that are trained on."""
        if self._train is None:
            raise RuntimeError("call setup() first")
        return self._train.ids

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled, augmented batches."""
        if self._train is None:
            raise RuntimeError("call setup() first")
        return self._loader(self._train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the held-out batches."""
        if self._validation is None:
            raise RuntimeError("call setup() first")
        return self._loader(self._validation, shuffle=False)

    def _loader(self, split: RHD, shuffle: bool) -> DataLoader[HandBatch]:
        world = self.trainer.world_size if self.trainer else 1
        size = self.config.batch_size // world * world
        return _loader(split, self.config, size, shuffle=shuffle, seed=self.config.seed, trainer=self.trainer)


def split_ids(ids: list[int], seed: int, least: int = 1) -> tuple[list[int], list[int]]:
    """Split samples into those to train on and at least so many held out, at random by seed; both in order.

    Raises:
        ValueError: too few samples.
    """
    count = max(least, round(HELD_OUT * len(ids)))
    if len(ids) < 2 * least:
        raise ValueError(f"expected at least {2 * least} training samples, got {len(ids)}")
    order = np.random.default_rng([seed, 0x0A11DA7E]).permutation(len(ids))
    held_out = set(order[:count].tolist())
    return [s for i, s in enumerate(ids) if i not in held_out], [s for i, s in enumerate(ids) if i in held_out]


def _loader(split: RHD, config: Config, batch_size: int, **options: Any) -> DataLoader[HandBatch]:
    pinned = config.device != "cpu" and torch.cuda.is_available()
    return make_loader(split, batch_size, workers=config.workers or 0, pin_memory=pinned, **options)


def evaluation_loader(config: Config) -> tuple[RHD, DataLoader[HandBatch]]:
    """Return the evaluation split and its batches, in order, the same draw every time."""
    split = open_split(config, "evaluation")
    return split, _loader(split, config, config.batch_size)


def training_poses(config: Config, ids: list[int]) -> Tensor:
    """Return the normalised poses (N, 21, 3) of training samples, without augmentation; only masks are read."""
    split = open_split(config, "training", modalities=("pose",), ids=ids)
    loader = _loader(split, config, batch_size=256)
    poses = [item.batch.data["pose"] for item in tqdm(loader, "mean pose", unit="batch", leave=False)]
    return torch.cat(poses)


def _count(samples: float | None) -> float | int | None:
    return int(samples) if samples is not None and samples > 1 else samples
