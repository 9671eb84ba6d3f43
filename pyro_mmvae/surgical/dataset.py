"""Views of surgical scenes as three modalities: image, point cloud and segmentation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.samples import Draw, Draws
from pyro_mmvae.data.sensor_noise import SENSORS, SensorNoise
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.surgical.layout import View
from pyro_mmvae.surgical.record import BadViewError, ReadOptions, ViewRecord, read_view

RGB, CLOUD, SEGMENTATION = "rgb", "cloud", "segmentation"
_NOISE = 1
"""Key that keeps the choice of spoilt samples apart from other random choices."""


class ViewBatch(NamedTuple):
    """A batch of B views.

    Attributes:
        batch: "rgb" (B, 3, S, S) in [0, 1], "cloud" (B, P, 3) and "segmentation" (B, M, M), int64; a view without depth
            has no cloud.
        views: scene and number of each.
        corrupted: (B,) bool by sensor: whether simulated noise acted on that sample. Not observed is not corrupted.
        skipped: (name, reason) of views that could not be read; they are no part of the batch.
    """

    batch: Batch
    views: tuple[View, ...]
    corrupted: dict[str, Tensor]
    skipped: tuple[tuple[str, str], ...] = ()


class Views:
    """Some views of a set in Sim2Real's layout.

    All randomness follows from seed, epoch and the view: points, colours, noise.

    Args:
        root: folder of the set.
        views: those that are used.
        options: how they are read.
        num_points: P of a cloud, drawn anew in each epoch, without replacement where there are as many.
        jitter: how much the colours of images vary: the largest relative change of each channel's gain.
        noise: of the sensors; the clouds' in the unit of the points. Which samples it spoils is the same in all epochs.
        seed: of what is random.
        preload: read all views now and keep them; those that cannot be read are left out.
        workers: threads that preload.
        progress: show a bar while preloading.

    Raises:
        ValueError: no view can be used, or a number is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        views: Sequence[View],
        options: ReadOptions,
        *,
        num_points: int = 256,
        jitter: float = 0.0,
        noise: SensorNoise | None = None,
        seed: int = 0,
        preload: bool = False,
        workers: int = 2,
        progress: bool = True,
    ) -> None:
        if min(options.image_size, options.map_size, num_points) < 1 or not 0 <= jitter < 1:
            raise ValueError("expected sizes of at least 1 and a jitter in [0, 1)")
        self.root, self.views, self.options = Path(root), list(views), options
        self.num_points, self.jitter, self.seed = num_points, jitter, seed
        self.noise = SensorNoise() if noise is None else noise
        self.log = SkipLog("views")
        self._records: dict[View, ViewRecord] = {}
        if preload:
            self._records = dict(self._read_all(workers, progress))
            self.views = list(self._records)
            if self.log.counts:
                warnings.warn(f"{self.root}: {len(self)} views used, {self.log}", stacklevel=2)
        if not self.views:
            raise ValueError(f"{self.root}: expected views that can be used, got none; {self.log}")

    def __len__(self) -> int:
        return len(self.views)

    def under(self, noise: SensorNoise) -> Views:
        """Return the same views, of the same files and draws, under other noise."""
        other = copy(self)
        other.noise = noise
        return other

    def batch(self, draws: Draws) -> ViewBatch:
        """Return some views; see `ViewBatch`."""
        samples: list[_Sample] = []
        skipped: list[tuple[str, str]] = []
        for draw in draws.each():
            view = self.views[draw.index]
            try:
                samples.append(self._sample(view, draw))
            except BadViewError as error:
                skipped.append((view.name, error.reason))
        found = self._stacked(samples or [self._blank()])
        if not samples:
            found = ViewBatch(found.batch[:0], (), {name: value[:0] for name, value in found.corrupted.items()})
        return found._replace(skipped=tuple(skipped))

    def _sample(self, view: View, draw: Draw) -> _Sample:
        record = self._records[view] if self._records else read_view(self.root, view, self.options)
        rng = np.random.default_rng([self.seed, draw.epoch, *view])
        spoils = self.noise.spoils(self.seed + _NOISE, view.scene * 1_000_000 + view.number)
        cloud = _drawn(record.cloud, self.num_points, rng)
        image: NDArray[np.float32] = record.image.astype(np.float32) / np.float32(255)
        if self.jitter:
            gain = 1 + self.jitter * rng.uniform(-1, 1) + 0.5 * self.jitter * rng.uniform(-1, 1, 3)
            image = (image * gain.astype(np.float32)).clip(0, 1)
        if spoils[RGB]:
            image = self.noise.image(image, rng)
        if spoils[CLOUD] and cloud is not None:
            cloud = self.noise.cloud(cloud, rng)
        return _Sample(view, image, cloud, record.segmentation, spoils)

    def _blank(self) -> _Sample:
        side, size = self.options.image_size, self.options.map_size
        image, mask = np.zeros((side, side, 3), np.float32), np.zeros((size, size), np.uint8)
        return _Sample(self.views[0], image, None, mask, dict.fromkeys(SENSORS, False))

    def _stacked(self, samples: Sequence[_Sample]) -> ViewBatch:
        images = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2).contiguous()
        missing = np.zeros((self.num_points, 3), np.float32)
        clouds = [missing if sample.cloud is None else sample.cloud for sample in samples]
        masks = np.stack([sample.segmentation for sample in samples])
        data = {
            RGB: images,
            CLOUD: torch.from_numpy(np.stack(clouds)),
            SEGMENTATION: torch.from_numpy(masks).long(),
        }
        everything = torch.ones(len(samples), dtype=torch.bool)
        measured = torch.tensor([sample.cloud is not None for sample in samples])
        observed = {RGB: everything, CLOUD: measured, SEGMENTATION: everything}
        # Not Batch.of: the views are zero where not observed and finite; checking again would double the time.
        spoilt = {name: torch.tensor([sample.spoils[name] for sample in samples]) for name in SENSORS}
        spoilt[CLOUD] &= measured
        return ViewBatch(Batch(data, observed), tuple(sample.view for sample in samples), spoilt)

    def _read_all(self, workers: int, progress: bool) -> Iterator[tuple[View, ViewRecord]]:
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            results = pool.map(self._tried, self.views)
            bar = tqdm(results, "preloading", len(self.views), unit="view", disable=not progress)
            for view, result in zip(list(self.views), bar, strict=True):
                if isinstance(result, BadViewError):
                    self.log.add(view.name, result.reason, result.detail)
                else:
                    yield view, result

    def _tried(self, view: View) -> ViewRecord | BadViewError:
        try:
            return read_view(self.root, view, self.options)
        except BadViewError as error:
            return error


class _Sample(NamedTuple):
    view: View
    image: NDArray[np.float32]
    cloud: NDArray[np.float32] | None
    segmentation: NDArray[np.uint8]
    spoils: Mapping[str, bool]


def _drawn(cloud: NDArray[np.float32] | None, count: int, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Return so many points, each once where there are as many; None of an empty cloud."""
    if cloud is None:
        return None
    return cloud[rng.choice(len(cloud), count, replace=len(cloud) < count)]
