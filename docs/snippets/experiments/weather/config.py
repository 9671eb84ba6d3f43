"""Options of the weather experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import PartialShare, Positive
from pyro_mmvae.experiments.common.run_config import Comparison, RunConfig


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run."""

    experiment: ClassVar[str] = "weather"
    about: ClassVar[str] = "A thermometer and a camera see the same day; the camera may fail."
    comparison: ClassVar[Comparison] = Comparison(("poe", "moe"))
    tiny: ClassVar[tuple[str, ...]] = ("--samples", "60", "--epochs", "2")

    guide: GuideName = "poe"
    latent_dim: Positive = 2
    epochs: Positive = 20
    samples: Positive = 2000
    """Training samples."""
    missing: PartialShare = 0.2
    """Share of training samples without a picture."""

    def implied(self) -> dict[str, Any]:
        """Return the objective that suits the guide."""
        return {**super().implied(), "objective": "mmvae" if self.guide == "moe" else "mvae"}
