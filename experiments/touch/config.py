"""Options of the touch experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Count, Positive, PositiveNumber, Samples, Share, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig

Sensor = Literal["rgb", "depth", "force", "action"]
Switch = tyro.conf.FlagConversionOff[bool]
ALL_SUBSETS = "mopoe"
"""The objective in which every subset decodes everything; in that of the set VAE it decodes what it looks at."""
DEFAULT_OBJECTIVES = {"moe": "mmvae", "crossmodal": "crossmodal"}
"""The objective by guide; that of all subsets for those that are not named."""
GPU = "gpu"
PRESETS: Mapping[str, Preset] = {
    GPU: Preset(
        "real data, sized for a GPU",
        chosen={
            "latent_dim": 128,
            "image_size": 64,
            "width": 32,
            "epochs": 50,
            "force_scale": (1.0, 1.0),
            "preload": False,
            "workers": 4,
        },
        notes=("the paper prints no setting of its experiment on Vision&Touch but the four modalities",),
    )
}


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run. The defaults are those of a demo on simulated insertions; `--data` implies others for a GPU."""

    experiment: ClassVar[str] = "touch"
    about: ClassVar[str] = """What a robot's cameras see, from the force that it feels and the action that it takes.

    python -m experiments.touch                               demo on simulated insertions, minutes on two cores
    python -m experiments.touch --data DIR                    Vision&Touch's files, sized for a GPU
    python -m experiments.touch --objective smvae             the paper's bound: a subset decodes what it looks at
    python -m experiments.touch --guide poe --failing rgb depth --failing-samples 0.5

Needs the extra [robot]: pip install -e ".[robot]". A run folder holds config.yaml, checkpoints, history.csv,
metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("set", "poe", "gpoe", "moe"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--attempts", "8", "--file-side", "32", "--image-size", "16", "--width", "4", "--epochs", "2"),
        *("--latent-dim", "4", "--num-samples", "30", "--test-samples", "6", "--refine", "0", "--force-widths", "16"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", "num_samples", "test_samples", "refine"})

    guide: GuideName = "set"
    latent_dim: Positive = 32
    data: Path | None = None
    """Folder of files in Vision&Touch's layout. None: simulated insertions."""
    synthetic: Path = Path("data/synthetic_touch")
    """Where simulated insertions are kept; made if not there, reused by the next run."""
    attempts: Positive = 100
    """Number of simulated insertions, 49 samples each, of which 85 % are to train on."""
    file_side: Annotated[int, Meta(ge=32)] = 64
    """Side of their pictures in the files, in pixels."""
    samples: Samples | None = None
    """Training attempts to use: a share (up to 1), or a number. None: all."""
    validation: Annotated[float, Meta(gt=0, lt=1)] = 0.06
    """Share of training attempts that are held out."""
    image_size: Annotated[int, Meta(ge=8)] = 32
    """Side of the pictures that are learned, a power of two that divides the files'."""
    force_scale: tuple[PositiveNumber, PositiveNumber] = (5.0, 0.3)
    """Newtons and newton metres by which forces and torques are divided before tanh takes the large ones."""
    next_action: Switch = True
    """Take the action that follows what is seen, as the public reader does, rather than the one that led there."""
    failing: tuple[Sensor, ...] = ()
    """Sensors that fail, each on its own."""
    failing_samples: Share = 1.0
    """Share of samples in which one does."""
    failing_values: Share = 1.0
    """Share of its values that are then random."""
    failing_known: Switch = False
    """Whether one knows that it failed; nothing is then observed of it."""
    corrupt: Literal["train", "test", "both"] = "both"
    """Where sensors fail."""
    preload: Switch = True
    """Keep what is read in memory."""
    workers: Count = 0
    """Processes that load data."""

    width: Positive = 8
    """Channels next to the pictures in their encoders, half of those in their decoders."""
    force_widths: tuple[Positive, ...] = (128, 128)
    """Hidden layers of the encoders of force and action, and of their decoders in reverse."""
    epochs: Positive = 20
    batch_size: Positive = 32
    learning_rate: Weight = 2e-3
    warmup: Count = 20
    beta_start: Weight | None = 0.0
    lambda_rgb: Weight = 1.0
    """Weight of the picture."""
    lambda_depth: Weight = 1.0
    """Weight of the depth."""
    lambda_force: Weight = 1.0
    """Weight of the force."""
    lambda_action: Weight = 1.0
    """Weight of the action."""
    num_samples: Positive = 200
    """Importance samples for each log-likelihood."""
    test_samples: Positive = 50
    """Samples of which log-likelihoods are estimated, always the same ones."""
    refine: Count = 50
    """Steps in which each of these samples' posterior is improved before draws are taken from it."""

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the preset for real data."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the preset for real data if there are real data."""
        return GPU if self.data is not None else None

    def implied(self) -> dict[str, Any]:
        """Return the objective that suits the guide; where all subsets count, two are drawn in a step."""
        found = {**super().implied(), "objective": DEFAULT_OBJECTIVES.get(self.guide, ALL_SUBSETS)}
        return {**found, "objective_options": ("max_terms=2",) if self.objective == ALL_SUBSETS else None}

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        size = self.image_size
        self.require("image_size", size & (size - 1) == 0, "a power of two, as decoders double a map of 4 x 4")
        if self.data is None:
            self.require("image_size", self.file_side % size == 0, f"a divisor of the files' {self.file_side} pixels")
        self.require("force_widths", bool(self.force_widths), "one or more layers")
