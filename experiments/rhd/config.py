"""Options of the hand experiment, and what the settings and presets mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pyro_mmvae.experiments.common.choices import GuideName, ObjectiveName
from pyro_mmvae.experiments.common.names import known

Setting = Literal["r2p", "r2hp", "c2p", "rc2chp", "rcs2chps"]


class Flow(NamedTuple):
    """What a setting encodes and decodes (Gupta 2021, section 6.2.1)."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]


FLOWS: dict[str, Flow] = {
    "r2p": Flow(("rgb",), ("pose",)),
    "r2hp": Flow(("rgb",), ("heatmap", "pose")),
    "c2p": Flow(("cloud",), ("pose",)),
    "rc2chp": Flow(("rgb", "cloud"), ("cloud", "heatmap", "pose")),
    "rcs2chps": Flow(("rgb", "cloud", "segmentation"), ("cloud", "heatmap", "pose", "segmentation")),
}
MIXTURES = ("moe",)


@dataclass(frozen=True)
class Config:
    """Options of a training run. Where the default is None, the preset decides: the demo, or the papers' with --data.

    The demo makes a synthetic set of rendered hands in RHD's layout and is sized for minutes on two cores.
    """

    experiment: ClassVar[str] = "rhd"

    guide: GuideName = "gpoe"
    """Inference program: how the posteriors of several inputs become one."""
    objective: ObjectiveName | None = None
    """Training bound. None: `crossmodal` with one input or that guide, `mmvae` with a mixture guide, else `mixing`."""
    setting: Setting = "rc2chp"
    """What is encoded (before the 2) and decoded: R rgb, C cloud, H heat maps, P pose, S segmentation."""

    data: Path | None = None
    """Folder of RHD (or any set in its layout). None: synthetic hands."""
    synthetic: Path = Path("data/synthetic_hands")
    """Where synthetic hands are kept; made if not there, reused by the next run."""
    synthetic_train: int = 2000
    """Number of synthetic training pictures."""
    synthetic_eval: int = 250
    """Number of synthetic evaluation pictures."""
    samples: float | None = None
    """Training samples to use: a share (up to 1), or a number. None: all."""
    image_size: int | None = None
    """Side of the hand crop in pixels. Preset: 256; demo 64."""
    num_points: int | None = None
    """Points of a cloud, a square number. Preset: 256; demo 64."""
    map_size: int | None = None
    """Side of heat maps and segmentations, a power of two. Preset: 64; demo 32."""
    pixel_corruption: float = 0.0
    """Share of pixels replaced by random colours."""
    cloud_noise: float = 0.0
    """Standard deviation of noise on cloud points, in lengths of the middle finger's first bone."""
    corrupted_share: float = 1.0
    """Share of samples on which that noise acts."""
    corrupt: Literal["train", "test", "both"] = "both"
    """Where that noise acts."""
    preload: bool | None = None
    """Keep decoded crops in memory. Preset: no; demo yes."""
    workers: int | None = None
    """Processes that load data. Preset: 4; demo 0, as everything is in memory."""

    latent_dim: int = 64
    """Dimension of z."""
    width: int | None = None
    """Channels of the first stage of the ResNet-18. Preset: 64; demo 32."""
    stem_stride: Literal[1, 2, 4] = 4
    """How much the ResNet shrinks the image before its first stage; less than 4 keeps more detail and costs more."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation in the ResNet. Batch statistics, which pretrained weights need, are taken over all devices on
    GPUs, but not on CPUs."""
    decoder_width: int | None = None
    """Channels of the last stage of the heat-map and segmentation decoders. Preset: 64; demo 16."""
    cloud_width: int | None = None
    """Width of the cloud's networks: last stage of the encoder and layers of the decoder. Preset: 512; demo 256."""
    pretrained: bool | None = None
    """Start the ResNet from ImageNet weights. Preset: yes; demo no."""
    pretrained_weights: Path | None = None
    """File with these weights, for machines that cannot download them."""
    guide_options: tuple[str, ...] = ()
    """Options of the guide as name=value, e.g. `prior_expert=never` (poe), `weights=learned` (moe_moments)."""

    epochs: int | None = None
    """Preset: 100; demo 12."""
    batch_size: int = 32
    """Samples in a step, over all devices together."""
    learning_rate: float | None = None
    """Of AdamW. Preset: 1e-4; demo 2e-3."""
    lr_schedule: Literal["constant", "cosine"] = "cosine"
    """Learning rate over the run, after a short warm-up."""
    clip: float = 10.0
    """Largest norm of the gradient; 0 does not clip."""
    beta_start: float = 1e-5
    """Weight of the KL in the first epoch."""
    beta_end: float = 1e-3
    """Weight of the KL from the middle of the run on."""
    lambda_pose: float = 1.0
    """Weight of the pose."""
    lambda_heatmap: float | None = None
    """Weight of the heat maps. Preset: 0.01, as Gupta 2021; demo 0.5."""
    lambda_cloud: float = 1.0
    """Weight of the point cloud."""
    lambda_segmentation: float = 1e-3
    """Weight of the segmentation."""
    particles: int = 1
    """Latent draws per sample and row."""
    augment: bool = True
    """Zoom, shift, turn and recolour training crops."""
    early_stop: int | None = None
    """Stop when validation has not improved for this many epochs. None: never."""
    seed: int = 0
    """Of everything random."""

    device: str = "auto"
    """auto, cpu, cuda (or another Lightning accelerator)."""
    devices: int = 1
    """Number of devices on each node; more than one trains by DDP."""
    nodes: int = 1
    """Number of nodes."""
    precision: str = "32-true"
    """Lightning precision, e.g. 32-true, bf16-mixed, 16-mixed."""

    out: Path | None = None
    """Run folder. None: runs/rhd/SETTING-GUIDE-OBJECTIVE-sSEED."""
    resume: bool = False
    """Go on from the last checkpoint in the run folder."""
    logger: Literal["csv", "tensorboard"] = "csv"
    """history.csv is always written; tensorboard writes its own files besides."""
    figures: bool = True
    """Draw figures at the end."""
    config: Path | None = None
    """YAML file with any of these options; the command line wins. Every run writes one, config.yaml."""

    @property
    def flow(self) -> Flow:
        """What is encoded and decoded."""
        return FLOWS[self.setting]

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.out or Path("runs/rhd") / f"{self.setting}-{self.guide}-{self.objective}-s{self.seed}"


def resolved(config: Config) -> Config:
    """Fill in what the preset decides.

    Raises:
        ValueError: an unknown guide or objective, or an option out of its range.
    """
    known("pyro_mmvae.guides", config.guide)
    preset = _DEMO if config.data is None else _PAPER
    given: dict[str, Any] = {name: value for name, value in preset.items() if getattr(config, name) is None}
    filled = replace(config, objective=config.objective or _default_objective(config), config=None, **given)
    known("pyro_mmvae.objectives", filled.objective or "")
    _check(filled)
    return replace(filled, out=filled.run)


_DEMO = {
    "image_size": 64,
    "num_points": 64,
    "map_size": 32,
    "width": 32,
    "decoder_width": 16,
    "cloud_width": 256,
    "epochs": 12,
    "lambda_heatmap": 0.5,
    "preload": True,
    "workers": 0,
    "pretrained": False,
    "learning_rate": 2e-3,
}
_PAPER = {
    "image_size": 256,
    "num_points": 256,
    "map_size": 64,
    "width": 64,
    "decoder_width": 64,
    "cloud_width": 512,
    "epochs": 100,
    "lambda_heatmap": 0.01,
    "preload": False,
    "workers": 4,
    "pretrained": True,
    "learning_rate": 1e-4,
}


def _default_objective(config: Config) -> str:
    if len(config.flow.inputs) == 1 or config.guide == "crossmodal":
        return "crossmodal"
    return "mmvae" if config.guide in MIXTURES else "mixing"


def _check(config: Config) -> None:
    positive = (
        "image_size",
        "num_points",
        "map_size",
        "width",
        "decoder_width",
        "cloud_width",
        "epochs",
        "batch_size",
        "latent_dim",
        "particles",
        "devices",
        "nodes",
    )
    for name in positive:
        if getattr(config, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(config, name)}")
    if math.isqrt(config.num_points or 0) ** 2 != config.num_points:
        raise ValueError(
            f"--num-points: expected a square number, as the decoder folds a grid, got {config.num_points}"
        )
    if config.samples is not None and (config.samples <= 0 or (config.samples > 1 and config.samples % 1)):
        raise ValueError(f"--samples: expected a share in (0, 1] or a whole number, got {config.samples}")
    for name in ("beta_start", "beta_end", "lambda_pose", "lambda_heatmap", "lambda_cloud", "lambda_segmentation"):
        if getattr(config, name) < 0:
            raise ValueError(
                f"--{name.replace('_', '-')}: expected a weight of at least 0, got {getattr(config, name)}"
            )
    if config.beta_start > 0 and config.beta_end == 0:
        raise ValueError("--beta-end: expected a positive weight, as beta goes there from --beta-start geometrically")
    if config.early_stop is not None and config.early_stop < 1:
        raise ValueError(f"--early-stop: expected at least 1 epoch, got {config.early_stop}")
    if config.batch_size % (config.devices * config.nodes):
        raise ValueError(
            f"--batch-size {config.batch_size} does not divide among {config.devices * config.nodes} processes"
        )
