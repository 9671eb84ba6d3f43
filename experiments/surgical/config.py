"""Options of the surgical experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import tyro
from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import (
    Count,
    PartialShare,
    Positive,
    PositiveNumber,
    Samples,
    Share,
    Weight,
)
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.surgical.presets import GPU, GUIDE_OPTIONS, PRESETS

Setting = Literal["rc2cs", "rc2s", "r2s", "c2s"]
Switch = tyro.conf.FlagConversionOff[bool]
"""A switch that takes True or False: a preset may turn it on, and the command line off again."""
MIXTURES = ("moe",)
RULES = ("counting", "averaged")
"""Options of the results alone."""


class Flow(NamedTuple):
    """What a setting encodes and decodes."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All modalities, inputs first."""
        return tuple(dict.fromkeys((*self.inputs, *self.targets)))


FLOWS: dict[str, Flow] = {
    "rc2cs": Flow(("rgb", "cloud"), ("cloud", "segmentation")),
    "rc2s": Flow(("rgb", "cloud"), ("segmentation",)),
    "r2s": Flow(("rgb",), ("segmentation",)),
    "c2s": Flow(("cloud",), ("segmentation",)),
}


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run. The defaults are those of the demo on synthetic scenes; `--data` implies others for a GPU."""

    experiment: ClassVar[str] = "surgical"
    about: ClassVar[str] = """Segment surgical views from RGB, a point cloud or both.

    python -m experiments.surgical --guide gpoe               demo on synthetic scenes, minutes on two cores
    python -m experiments.surgical --data DIR                 real data, sized for a GPU
    python -m experiments.surgical --pixel-corruption 0.5 --corrupted-share 0.5       under noise
    python -m experiments.compare --experiment surgical --vary pixel_corruption 0 0.25 0.5 --seeds 3

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("moe", "poe", "gpoe"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--synthetic-views", "3", "--synthetic-size", "64", "--epochs", "2", "--batch-size", "4", "--width", "4"),
        *("--image-size", "32", "--num-points", "16", "--map-size", "8", "--decoder-width", "4", "--cloud-width", "32"),
        *("--pixel-levels", "0", "0.5", "--cloud-levels", "0", "1"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", "pixel_levels", "cloud_levels", *RULES})

    guide: GuideName = "gpoe"
    setting: Setting = "rc2cs"
    """What is encoded (before the 2) and decoded: R rgb, C cloud, S segmentation."""

    data: Path | None = None
    """Folder of the data set, in Sim2Real's layout. None: synthetic scenes."""
    intrinsics: tuple[PositiveNumber, PositiveNumber, float, float] | None = None
    """Focal lengths and centre of the pictures in the files: fx fy cx cy. None: as the folder's intrinsics.txt says."""
    colour: Literal["translation", "input"] = "translation"
    """Kind of picture that is looked at: made to look real, or as rendered."""
    synthetic: Path = Path("data/synthetic_surgical")
    """Where synthetic scenes are kept; made if not there, reused by the next run."""
    synthetic_views: Positive = 150
    """Number of synthetic views of each scene."""
    synthetic_size: Annotated[int, Meta(ge=64, multiple_of=2)] = 256
    """Width of the synthetic pictures in pixels; the published ones have 512."""
    split: Literal["scenes", "views"] = "scenes"
    """Test on scenes that were never seen, or on a fifth of the views of every scene, always the same ones."""
    test_scenes: tuple[Annotated[int, Meta(ge=1, le=7)], ...] = (6, 7)
    """Scenes to test on, where the split is by scenes."""
    validation: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Share of training views that is held out."""
    samples: Samples | None = None
    """Training views to use: a share (up to 1), or a number. None: all."""
    image_size: Positive = 64
    """Side of the image in pixels: the central square, resized."""
    map_size: Positive = 32
    """Side of segmentations, a power of two."""
    num_points: Positive = 64
    """Points of a cloud, a square number."""
    unit: PositiveNumber = 100.0
    """Length that is 1 in clouds, in the unit of the depth; millimetres in synthetic scenes."""
    jitter: PartialShare = 0.1
    """Largest relative change of training images' brightness, and twice that of a single channel's."""

    pixel_corruption: Share = 0.0
    """Share of pixels replaced by random colours."""
    cloud_noise: Weight = 0.0
    """Standard deviation of noise on cloud points, in their unit."""
    corrupted_share: Share = 1.0
    """Share of samples on which that noise acts, drawn for image and cloud independently."""
    cloud_corrupted_share: Share | None = None
    """The same for clouds alone. None: as for images."""
    corrupt: Literal["train", "test", "both"] = "both"
    """Where that noise acts."""
    pixel_levels: tuple[Share, ...] = (0.0, 0.25, 0.5, 0.7)
    """Shares of random pixels at which the judged images are judged again, all of them corrupted."""
    cloud_levels: tuple[Weight, ...] = (0.0, 0.1, 0.3, 1.0)
    """The same for clouds: standard deviations."""
    preload: Switch = True
    """Keep decoded views in memory."""
    workers: Count = 0
    """Processes that load data."""

    encoder: Literal["resnet", "conv"] = "resnet"
    """Of images: ResNet-18, which averages over the picture, or a mirrored DC-GAN, which does not."""
    width: Positive = 16
    """Channels of its first stage."""
    stem_stride: Literal[1, 2, 4] = 4
    """How much the ResNet shrinks the image before its first stage."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation in the ResNet."""
    decoder_width: Positive = 16
    """Channels of the last stage of the segmentation's decoder."""
    cloud_width: Positive = 192
    """Width of the cloud's networks: last stage of the encoder and layers of the decoder."""
    pretrained: Switch = False
    """Start the ResNet from ImageNet weights."""
    pretrained_weights: Path | None = None
    """File with these weights, for machines that cannot download them."""

    epochs: Positive = 16
    batch_size: Positive = 32
    learning_rate: Weight = 2e-3
    warmup: Count = 20
    clip: Weight = 10.0
    beta_start: Weight | None = 1e-5
    beta_end: Weight = 1e-3
    beta_shape: Literal["linear", "geometric"] = "geometric"
    lambda_segmentation: Weight = 0.03
    """Weight of the segmentation, whose log-probability is a sum over its pixels."""
    lambda_cloud: Weight = 1.0
    """Weight of the point cloud."""

    counting: Literal["summed", "per_sample"] = "summed"
    """IoU and F1 from the counts of all views together, or of each view, and then averaged."""
    averaged: Literal["organs", "all"] = "organs"
    """Classes that they are averaged over: the five organs, or nothing besides."""

    @property
    def flow(self) -> Flow:
        """What is encoded and decoded."""
        return FLOWS[self.setting]

    @property
    def run_name(self) -> str:
        """Name of the run folder inside `runs/surgical`."""
        return f"{self.setting}-{super().run_name}"

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the preset for real data, and the paper's."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the preset for real data if there are real data."""
        return GPU if self.data is not None else None

    def implied(self) -> dict[str, Any]:
        """Return the objective that suits guide and setting, and a paper's options of the guide."""
        one_input = len(self.flow.inputs) == 1 or self.guide == "crossmodal"
        several = "mmvae" if self.guide in MIXTURES else "mixing"
        return {
            "objective": "crossmodal" if one_input else several,
            "guide_options": GUIDE_OPTIONS.get((self.paper, self.guide), ()),
        }

    def reopened(self) -> Config:
        """Return the options without pretrained weights, as a trained run has its own."""
        return replace(self, pretrained=False, pretrained_weights=None)

    def check_together(self) -> None:
        """Refuse sizes that the networks cannot make."""
        square = math.isqrt(self.num_points) ** 2 == self.num_points
        self.require("num_points", square, "a square number, as the decoder folds a grid")
        doubled = self.map_size >= 8 and self.map_size & (self.map_size - 1) == 0
        self.require("map_size", doubled, "a power of two from 8 on, as the decoder doubles a map of 4 x 4")
        self.require("image_size", self.image_size >= 32, "at least 32, as the encoder halves the image five times")
