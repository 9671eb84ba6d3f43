"""Options of the food experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Count, Positive, Samples, Share, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.food.presets import GPU, PRESETS

Switch = tyro.conf.FlagConversionOff[bool]
ALIGNMENT, MAPPER = "variational_alignment", "mapper"
CROSSMODAL, CADA = "crossmodal", "cada"
CLASSIFIED = "classified"
"""The ingredients once more, as decoded by a classifier on the latent."""
PAPER_SIZES: Mapping[str, tuple[Positive, ...]] = {"yummly28k": (360, 240), "recipe1m": (256,)}
SYNTHETIC_SIZE = (96, 72)


@dataclass(frozen=True, kw_only=True)
class VocabularyOptions:
    """Print the ingredients of a run, how many recipes they are in, and what else they are called."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run. The defaults are those of the demo on synthetic plates; `--data` implies others for a GPU."""

    experiment: ClassVar[str] = "food"
    about: ClassVar[str] = """Find the ingredients of a dish in its picture.

    python -m experiments.food                                            demo on synthetic plates, minutes on two cores
    python -m experiments.food --guide poe --objective crossvae           a baseline: CM-VAE
    python -m experiments.food --guide crossmodal --feed-forward          another: a classifier without a latent
    python -m experiments.food --guide poe --objective cada --features RUN --classifier-epochs 20         CADA-VAE
    python -m experiments.food --data DIR --dataset yummly28k             real data, sized for a GPU
    python -m experiments.food --data DIR --dataset recipe1m --paper theodoridis2020
    python -m experiments.food vocabulary RUN                             the ingredients of a run

A run folder holds config.yaml, vocabulary.json, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("mapper", "poe"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--synthetic-recipes", "60", "--picture-size", "40", "32", "--crop", "32", "--width", "4", "--least", "2"),
        *("--epochs", "4", "--mapper-epochs", "1", "--joint-epochs", "1", "--batch-size", "16", "--latent-dim", "8"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", "tta", "index"})
    commands: ClassVar[Mapping[str, type]] = {"vocabulary": VocabularyOptions}

    guide: GuideName = "mapper"
    feed_forward: bool = False
    """With the guide crossmodal: no draws and no KL, which leaves a plain classifier with the same networks (FF_TD)."""
    latent_dim: Positive = 64
    data: Path | None = None
    """Folder of the set, in the published layout. None: synthetic plates."""
    dataset: Literal["yummly28k", "recipe1m"] = "yummly28k"
    """Layout of the folder."""
    index: Path = Path("data/food_index")
    """Where indices of sets are kept; made if not there, opened in seconds by the next run."""
    synthetic: Path = Path("data/synthetic_food")
    """Where synthetic plates are kept; made if not there, reused by the next run."""
    synthetic_recipes: Positive = 2000
    """Number of synthetic recipes, of which 85 % are to train on."""
    samples: Samples | None = None
    """Training recipes to use: a share (up to 1), or a number. None: all."""
    validation: Annotated[float, Meta(gt=0, lt=1)] = 0.08
    """Share of training recipes that are held out, also to choose thresholds by (Recipe1M has recipes for that)."""
    least: Positive = 20
    """Training recipes that an ingredient is in at least."""
    vocabulary_size: Positive | None = None
    """Number of ingredients at most, the most frequent ones. None: any."""
    picture_size: tuple[Positive, ...] | None = None
    """Width and height to which pictures are resized, or their shorter side. None: as printed for the data set, and 96
    x 72 for synthetic plates."""
    crop: Positive = 64
    """Side of the square that is cut out."""
    flip: Share = 0.5
    """Share of training pictures whose left and right change places."""
    rotation: Annotated[float, Meta(ge=0, le=180)] = 10.0
    """Largest turn of training pictures to either side, in degrees."""
    tta: Count = 0
    """Augmented copies over which predictions are averaged in a second result (test-time augmentation); 0: none."""
    preload: Switch = True
    """Keep decoded pictures in memory."""
    workers: Count = 0
    """Processes that load data."""

    encoder: Literal["resnet", "densenet"] = "resnet"
    """ResNet-18, or DenseNet-121 with two further convolution and pooling layers."""
    width: Positive = 16
    """Channels of the ResNet's first stage."""
    pooled: tuple[Positive, ...] = (512, 512)
    """Channels of the layers after the DenseNet."""
    pretrained: Switch = False
    """Start the encoder of pictures from ImageNet weights."""
    pretrained_weights: Path | None = None
    """File with these weights, for machines that cannot download them."""
    features: Path | None = None
    """Look at feature vectors of a frozen network instead of pictures: a finished run, whose encoder of pictures makes
    them, or a file with a DenseNet-121's ImageNet weights. It must stay where it is."""
    classifier_epochs: Count = 0
    """Of all epochs, for a classifier of one layer on the latent, all else frozen, as CADA-VAE is judged."""

    epochs: Positive = 16
    """Passes over the training samples, of all phases together."""
    mapper_epochs: Count = 3
    """Of them for the mapper alone (phase 2)."""
    joint_epochs: Count = 5
    """Of them for everything (phase 3)."""
    batch_size: Positive = 32
    learning_rate: Weight = 2e-3
    mapper_learning_rate: Weight | None = 1e-2
    """Learning rate of phase 2, in which there is little to train. None: that of the others."""
    warmup: Count = 20
    clip: Weight = 10.0
    beta_start: Weight | None = 1e-3
    beta_end: Weight = 0.01
    beta_mapper: Weight | None = 2e-3
    """Weight of the mapper's KL. None: that of the branches' at the end."""
    lambda_ingredients: Weight = 1.0
    """Weight of the ingredients."""
    lambda_image: Weight | None = None
    """Weight of the picture, where an objective decodes it. None: 0.001, and 1 for feature vectors."""
    distance: Weight = 0.1
    """Weight of the distance between the mapped posterior and that of the ingredients."""

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the preset for real data, and the paper's."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the preset for real data if there are real data."""
        return GPU if self.data is not None else None

    def implied(self) -> dict[str, Any]:
        """Return the objective that suits the guide, its options, and the size of pictures."""
        sizes = PAPER_SIZES[self.dataset] if self.data is not None or self.paper else SYNTHETIC_SIZE
        pairs = "pairs=[[image, image], [ingredients, ingredients], [image, ingredients]]"
        return {
            **super().implied(),
            "objective": {MAPPER: ALIGNMENT, CROSSMODAL: CROSSMODAL}.get(self.guide, "crossvae"),
            "objective_options": (pairs,) if self.objective == "crossvae" else None,
            "picture_size": sizes,
            "lambda_image": 1e-3 if self.features is None else 1.0,
        }

    @property
    def aligned(self) -> bool:
        """Whether there are an upper and a lower branch and a mapper."""
        return self.objective == ALIGNMENT

    @property
    def decodes_pictures(self) -> bool:
        """Whether the picture is decoded as well as looked at."""
        return not (self.aligned or self.feed_forward)

    @property
    def run_name(self) -> str:
        """Name of the run folder."""
        return super().run_name + ("-feed_forward" if self.feed_forward else "")

    def reopened(self) -> Config:
        """Return the options without pretrained weights, as a trained run has its own."""
        return replace(self, pretrained=False, pretrained_weights=None)

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        self.require("features", self.features is None or self.features.exists(), "a run's folder or a file of weights")
        self.require("tta", self.features is None or self.tta == 0, "0 with --features, for which nothing is varied")
        last = self.classifier_epochs
        fine = last == 0 or (last < self.epochs and self.decodes_pictures)
        self.require("classifier_epochs", fine, "fewer than --epochs, and none with a mapper or --feed-forward")
        size = self.picture_size or ()
        self.require("picture_size", len(size) in (1, 2), "width and height, or the shorter side")
        self.require("crop", self.crop <= min(size), f"at most the picture's {min(size)} pixels")
        self.require("crop", self.crop >= 32, "at least 32 pixels, as the encoder halves them five times")
        self.require("dataset", self.data is not None or self.dataset == "yummly28k", "the folder of it as --data")
        plain = self.guide == CROSSMODAL and self.objective == CROSSMODAL
        self.require("feed_forward", plain or not self.feed_forward, "guide and objective crossmodal with it")
        if self.aligned:
            self.require("guide", self.guide == MAPPER, "mapper, for the objective variational_alignment")
            left = self.epochs - self.mapper_epochs - self.joint_epochs
            self.require("epochs", left >= 0, "no fewer than --mapper-epochs and --joint-epochs together")
