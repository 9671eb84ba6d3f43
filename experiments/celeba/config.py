"""Options of the experiment with faces and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pyro_mmvae.experiments.celeba.options import FaceConfig
from pyro_mmvae.experiments.celeba.presets import LITERATURE, PRESETS
from pyro_mmvae.experiments.common.ranges import Count, Positive, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset


@dataclass(frozen=True, kw_only=True)
class Config(FaceConfig):
    """Options of a run. The defaults are a demo on drawn faces, minutes on two cores; `--data` implies others."""

    experiment: ClassVar[str] = "celeba"
    about: ClassVar[str] = """Faces and 18 of their attributes as two modalities; log-likelihoods, attributes, pictures.

    python -m experiments.celeba                                   demo on drawn faces, minutes on two cores
    python -m experiments.celeba --guide poe --objective mvae
    python -m experiments.celeba --data DIR                        CelebA, sized for a GPU

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("set", "poe", "moe", "joint"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--synthetic-faces", "60", "--side", "16", "--width", "4", "--attribute-widths", "8", "--latent-dim", "4"),
        *("--num-samples", "5", "--test-samples", "5", "--epochs", "2", "--batch-size", "16"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", "num_samples", "test_samples", "refine"})

    latent_dim: Positive = 64
    attribute_widths: tuple[Positive, ...] = (256, 256)
    """Hidden layers of the attributes' encoder, and of their decoder in reverse."""
    lambda_image: Weight = 1.0
    """Weight of the picture."""
    lambda_attributes: Weight = 30.0
    """Weight of the attributes, which are few beside thousands of pixels."""
    refine: Count = 0
    """Steps in which each test face's posterior is improved before log-likelihoods are drawn from it."""

    epochs: Positive = 25
    batch_size: Positive = 32
    beta_start: Weight | None = 0.0

    def implied(self) -> dict[str, Any]:
        """Return the guide's objective: of `set` in the demo one in which every input decodes both."""
        found = super().implied()
        return {**found, "objective": "mopoe"} if self.guide == "set" and self.preset is None else found

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the literature's settings."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return the literature's with a folder of data."""
        return LITERATURE if self.data is not None else None

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        super().check_together()
        self.require("attribute_widths", bool(self.attribute_widths), "one or more layers")
        watchable = self.early_stop is None or self.beta_start in (None, self.beta_end)
        self.require("early_stop", watchable, "one beta throughout, with which the watched loss changes its meaning")
