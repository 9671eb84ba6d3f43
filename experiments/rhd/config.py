"""Options of the hand experiment, and what its settings mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import tyro
from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Count, Positive, PositiveNumber, Samples, Share, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.rhd.options import EvaluateOptions, PredictOptions
from pyro_mmvae.experiments.rhd.presets import GPU, GUIDE_OPTIONS, PRESETS, for_dataset
from pyro_mmvae.experiments.rhd.studies import STUDIES
from pyro_mmvae.hands.traits import TRAITS

Setting = Literal["r2p", "r2hp", "c2p", "p2p", "rp2p", "rc2cp", "rc2chp", "rcs2chps"]
Dataset = Literal["rhd", "stb"]
Degrees = Annotated[float, Meta(ge=0, le=180)]
Switch = tyro.conf.FlagConversionOff[bool]
"""A switch that takes True or False: a preset may turn it on, and the command line off again."""


class Flow(NamedTuple):
    """What a setting encodes and decodes (Gupta 2021, section 6.2.1; `rc2cp` is Joshi et al. 2022, section 4.5)."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All modalities, inputs first."""
        return tuple(dict.fromkeys((*self.inputs, *self.targets)))


FLOWS: dict[str, Flow] = {
    "r2p": Flow(("rgb",), ("pose",)),
    "r2hp": Flow(("rgb",), ("heatmap", "pose")),
    "c2p": Flow(("cloud",), ("pose",)),
    "p2p": Flow(("pose",), ("pose",)),
    "rp2p": Flow(("rgb", "pose"), ("pose",)),
    "rc2cp": Flow(("rgb", "cloud"), ("cloud", "pose")),
    "rc2chp": Flow(("rgb", "cloud"), ("cloud", "heatmap", "pose")),
    "rcs2chps": Flow(("rgb", "cloud", "segmentation"), ("cloud", "heatmap", "pose", "segmentation")),
}
MIXTURES, ALIGNMENT = ("moe",), "variational_alignment"
NOISE = ("pixel_corruption", "cloud_noise", "corrupted_share", "cloud_corrupted_share")
RULES = ("joints", "average", "auc_rule")
"""Options of the results alone."""


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run. The defaults are those of the demo on synthetic hands; `--data` implies others for a GPU."""

    experiment: ClassVar[str] = "rhd"
    about: ClassVar[str] = """Learn 3-D hand pose from RGB, with point clouds and heat maps as companions in training.

    python -m experiments.rhd --guide gpoe                    demo on synthetic hands, minutes on two cores
    python -m experiments.rhd --data RHD_published_v2         real data, sized for a GPU
    python -m experiments.rhd evaluate RUN --help             metrics of a trained run, on other data or noise
    python -m experiments.rhd predict RUN FOLDER --help       poses for a folder of hand images

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("poe", "moe", "gpoe"))
    studies: ClassVar[Mapping[str, Comparison]] = STUDIES
    tiny: ClassVar[tuple[str, ...]] = (
        *("--synthetic-train", "16", "--synthetic-eval", "4", "--epochs", "2", "--batch-size", "8", "--width", "8"),
        *("--image-size", "32", "--num-points", "16", "--map-size", "8", "--decoder-width", "4", "--cloud-width", "32"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", *RULES})
    commands: ClassVar[Mapping[str, type]] = {"evaluate": EvaluateOptions, "predict": PredictOptions}

    guide: GuideName = "gpoe"
    phase_epochs: tuple[Count, Count, Count] | None = None
    """Epochs of each phase of variational alignment (guide mapper). None: half of --epochs, a quarter, a quarter."""
    setting: Setting = "rc2chp"
    """What is encoded (before the 2) and decoded: R rgb, C cloud, H heat maps, P pose, S segmentation."""

    dataset: Dataset = "rhd"
    """Whose layout the data have: the Rendered Handpose Dataset's, or the Stereo Hand Pose Tracking Benchmark's."""
    camera: Literal["sk", "bb", "bb_left", "bb_right"] = "sk"
    """Of STB: the colour camera beside the depth camera, or the stereo pair, without clouds; `bb` is both pictures."""
    data: Path | None = None
    """Folder of the data set (or any in its layout). None: synthetic hands."""
    synthetic: Path = Path("data/synthetic_hands")
    """Where synthetic hands are kept; made if not there, reused by the next run."""
    synthetic_train: Positive = 2000
    """Number of synthetic training pictures."""
    synthetic_eval: Positive = 250
    """Number of synthetic evaluation pictures."""
    samples: Samples | None = None
    """Training samples to use: a share (up to 1), or a number. None: all."""
    image_size: Positive = 64
    """Side of the hand crop in pixels."""
    num_points: Positive = 64
    """Points of a cloud, a square number."""
    map_size: Positive = 32
    """Side of heat maps and segmentations, a power of two."""
    crop: Literal["joints", "mask"] = "joints"
    """Square about the middle MCP joint that holds the visible joints, or the smallest about the hand's pixels."""
    crop_margin: PositiveNumber | None = None
    """Room about the hand, in sides of the tight square. None: 1.3 about joints, 1 about the mask."""
    root_joint: Literal["middle_mcp", "wrist", "palm"] | None = None
    """Origin of poses and clouds. None: RHD's middle MCP joint, STB's palm."""
    first_joint: Literal["wrist", "palm"] | None = None
    """What joint 0 is: the wrist, or the palm, half-way from there to the middle MCP joint. None: as the set has it."""
    mirror_right: bool = True
    """Make right hands left."""
    augment: bool = True
    """Zoom, shift, turn, flip and recolour training crops, each drawn uniformly."""
    zoom: Annotated[float, Meta(ge=1)] = 1.2
    """Largest magnification; the least is 1."""
    shift: Share = 20 / 256
    """Largest shift along either axis, as a share of the crop's side."""
    rotation: Degrees = 180.0
    """Largest rotation to either side."""
    flip: Share = 0.0
    """Share of training crops whose up and down change places."""
    color: bool = True
    """Jitter the colours."""

    pixel_corruption: Share = 0.0
    """Share of pixels replaced by random colours."""
    cloud_noise: Weight = 0.0
    """Standard deviation of noise on cloud points, in lengths of the middle finger's first bone."""
    corrupted_share: Share = 1.0
    """Share of samples on which that noise acts, drawn for image and cloud independently."""
    cloud_corrupted_share: Share | None = None
    """The same for clouds alone. None: as for images."""
    corrupt: Literal["train", "test", "both"] = "both"
    """Where that noise acts."""
    preload: Switch = True
    """Keep decoded crops in memory."""
    workers: Count = 0
    """Processes that load data."""

    width: Positive = 32
    """Channels of the first stage of the ResNet-18."""
    stem_stride: Literal[1, 2, 4] = 4
    """How much the ResNet shrinks the image before its first stage; less than 4 keeps more detail and costs more."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation in the ResNet. Batch statistics, which pretrained weights need, are taken over all devices on
    GPUs, but not on CPUs."""
    decoder_width: Positive = 16
    """Channels of the last stage of the heat-map and segmentation decoders."""
    cloud_width: Positive = 256
    """Width of the cloud's networks: last stage of the encoder and layers of the decoder."""
    pretrained: Switch = False
    """Start the ResNet from ImageNet weights."""
    pretrained_weights: Path | None = None
    """File with these weights, for machines that cannot download them."""

    epochs: Positive = 12
    batch_size: Positive = 32
    learning_rate: Weight = 2e-3
    warmup: Count = 20
    clip: Weight = 10.0
    beta_start: Weight | None = 1e-5
    beta_end: Weight = 1e-3
    beta_shape: Literal["linear", "geometric"] = "geometric"
    lambda_pose: Weight = 1.0
    """Weight of the pose."""
    lambda_heatmap: Weight = 0.5
    """Weight of the heat maps."""
    lambda_cloud: Weight = 1.0
    """Weight of the point cloud."""
    lambda_segmentation: Weight = 1e-3
    """Weight of the segmentation."""
    pose_norm: Literal["joint", "pose", "squared"] = "joint"
    """The pose's loss: the norm of each joint's error, that of the whole pose's, or the mean squared error."""
    pose_layers: Positive = 4
    """Fully connected layers of the pose's networks, the last one included; all others have 512 units."""

    joints: Literal["visible", "all"] = "visible"
    """Joints that count in the results."""
    average: Literal["joint", "keypoint"] = "joint"
    """Average errors by joint first, or over all keypoints at once."""
    auc_rule: Literal["grid", "even", "exact"] = "grid"
    """Thresholds of the AUC: of 20 from 0 to 50 mm those above 20, as papers have them; 20 from 20 mm on; none."""

    @property
    def flow(self) -> Flow:
        """What is encoded and decoded."""
        return FLOWS[self.setting]

    @property
    def aligned(self) -> bool:
        """Whether the run is one of variational alignment, in phases."""
        return self.guide == "mapper" and self.objective == ALIGNMENT

    @property
    def preset(self) -> Preset | None:
        """The preset in force, as the paper has it for the data set."""
        found = super().preset
        return found and for_dataset(found, self.dataset)

    @property
    def run_name(self) -> str:
        """Name of the run folder inside `runs/rhd`."""
        return f"{'' if self.dataset == 'rhd' else f'{self.dataset}-'}{self.setting}-{super().run_name}"

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the preset for real data, and those of papers."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the preset for real data if there are real data."""
        return GPU if self.data is not None else None

    def implied(self) -> dict[str, Any]:
        """Return the objective that suits guide and setting, a paper's options of the guide, margin and joints."""
        aligned = self.guide == "mapper" and self.objective in (None, ALIGNMENT)
        quarter = self.epochs // 4
        one_input = len(self.flow.inputs) == 1 or self.guide == "crossmodal"
        several = "mmvae" if self.guide in MIXTURES else ALIGNMENT if aligned else "mixing"
        return {
            "objective": "crossmodal" if one_input else several,
            "guide_options": GUIDE_OPTIONS.get((self.paper, self.guide), ()),
            "phase_epochs": (self.epochs - 2 * quarter, quarter, quarter) if aligned and not one_input else None,
            "crop_margin": 1.3 if self.crop == "joints" else 1.0,
            "root_joint": TRAITS[self.dataset].root_joints[0],
            "first_joint": TRAITS[self.dataset].first_joints[0],
        }

    def reopened(self) -> Config:
        """Return the options without pretrained weights, as a trained run has its own."""
        return replace(self, pretrained=False, pretrained_weights=None)

    def check_together(self) -> None:
        """Refuse sizes that the decoders cannot make, and what the data set does not have."""
        square = math.isqrt(self.num_points) ** 2 == self.num_points
        self.require("num_points", square, "a square number, as the decoder folds a grid")
        doubled = self.map_size >= 8 and self.map_size & (self.map_size - 1) == 0
        self.require("map_size", doubled, "a power of two from 8 on, as the decoder doubles a map of 4 x 4")
        joints = {"root_joint": self.root_joint or "", "first_joint": self.first_joint or ""}
        TRAITS[self.dataset].check(self.flow.names, crop=self.crop, camera=self.camera, **joints)
