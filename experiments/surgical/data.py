"""Views of a run: a folder in Sim2Real's layout, or synthetic scenes made on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.sensor_noise import SensorNoise
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.data.split import hold_out, subset
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.experiments.surgical.config import Config
from pyro_mmvae.surgical.dataset import SEGMENTATION, ViewBatch, Views
from pyro_mmvae.surgical.layout import View
from pyro_mmvae.surgical.record import ReadOptions, read_camera
from pyro_mmvae.surgical.scores import class_counts
from pyro_mmvae.surgical.synthetic import generate
from pyro_mmvae.surgical.views import find_views, split_views

COUNTED = 2000
"""Training views at most from which the baselines are taken, spread evenly."""


class SurgicalData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.

    Attributes:
        parts: views to train on, held out from that, and to judge; whether there are any is known at once.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.log = config, SkipLog("views")
        self.parts = self._split()

    @cached_property
    def root(self) -> Path:
        """The folder of the set, made if it is the synthetic one."""
        config = self.config
        if config.data is not None:
            return config.data
        name = f"{config.synthetic_views}-{config.synthetic_size}"
        return generate(config.synthetic / name, config.synthetic_views, width=config.synthetic_size)

    def _split(self) -> dict[str, list[View]]:
        """Return views to train on, held out from that, and to judge."""
        config = self.config
        views = find_views(self.root, config.colour, self.log)
        train, test = split_views(views, config.split, config.test_scenes)
        count = config.samples
        chosen = subset(list(range(len(train))), int(count) if count and count > 1 else count, config.seed)
        kept, held = hold_out(chosen, config.validation, config.seed, least=config.num_processes)
        parts = {"train": [train[i] for i in kept], "validation": [train[i] for i in held]}
        return parts | {"judged": parts["validation"] if config.judge == "validation" else test}

    def _open(self, part: str, jitter: float = 0.0, noise: SensorNoise | None = None, preload: bool = False) -> Views:
        config = self.config
        camera = read_camera(self.root, config.intrinsics) if "cloud" in config.flow.names else None
        options = ReadOptions(config.image_size, config.map_size, camera, config.unit, config.colour)
        chosen: dict[str, Any] = {"num_points": config.num_points, "seed": config.seed, "preload": preload}
        return Views(self.root, self.parts[part], options, jitter=jitter, noise=noise, **chosen)

    def _noise(self, stage: Literal["train", "test"]) -> SensorNoise:
        """Return the noise on the samples of a stage; none where it does not act."""
        config = self.config
        if config.corrupt not in (stage, "both"):
            return SensorNoise()
        clouds = config.cloud_corrupted_share
        share = {"rgb": config.corrupted_share, "cloud": config.corrupted_share if clouds is None else clouds}
        return SensorNoise(config.pixel_corruption, config.cloud_noise, share)

    @cached_property
    def train(self) -> Views:
        """Views to train on, with varied colours."""
        return self._open("train", self.config.jitter, self._noise("train"), self.config.preload)

    @cached_property
    def validation(self) -> Views:
        """Views held out from training."""
        return self._open("validation", noise=self._noise("train"), preload=self.config.preload)

    @cached_property
    def samples(self) -> Views:
        """Views that results are of."""
        return self._open("judged", noise=self._noise("test"), preload=self.config.preload)

    def describe(self) -> str:
        """Return where the views are from and how many there are."""
        kind = "views in" if self.config.data else "synthetic views in"
        counts = f"{len(self.train)} training, {len(self.validation)} held out, {len(self.samples)} to judge"
        left_out = f"; {self.log}" if self.log.counts else ""
        return f"{kind} {self.root}: {counts}{left_out}"

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[ViewBatch]:
        """Return shuffled batches."""
        return self._loader(self.train, shuffle=True, trainer=self.trainer)

    def val_dataloader(self) -> DataLoader[ViewBatch]:
        """Return the held-out batches."""
        return self._loader(self.validation, trainer=self.trainer)

    def judged_views(self) -> DataLoader[ViewBatch]:
        """Return the judged views in order, the same draw every time."""
        return self._loader(self.samples)

    def judged_under(self, levels: Mapping[str, float]) -> Iterable[ViewBatch]:
        """Return the judged views, all of them under noise of a level by sensor instead of the run's own."""
        return self._loader(self.samples.under(SensorNoise(levels.get("rgb", 0.0), levels.get("cloud", 0.0))))

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged views, or the first ones; see `RunData`."""
        left = len(self.samples) if samples is None else samples
        for item in self.judged_views():
            if (batch := item.batch[:left]).size:
                yield batch
            if (left := left - batch.size) <= 0:
                return

    def class_counts(self) -> Tensor:
        """Count the classes of every pixel over training views, (M, M, C); of a large set over a part."""
        step = -(-len(self.train) // COUNTED)
        rows = torch.arange(0, len(self.train), step).split(self.config.batch_size)
        items = (self.train.batch(Draws(part)).batch for part in rows)
        return torch.stack([class_counts(batch.data[SEGMENTATION]) for batch in items]).sum(0)

    def _loader(
        self, views: Views, shuffle: bool = False, trainer: lightning.Trainer | None = None
    ) -> DataLoader[ViewBatch]:
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        options: dict[str, Any] = {"seed": config.seed, "workers": config.workers, "pin_memory": pinned}
        return make_loader(views, config.batch_size, shuffle=shuffle, trainer=trainer, **options)
