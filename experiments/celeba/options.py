"""Options of all experiments with faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Count, Positive, PositiveNumber, Samples
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.mnist.config import DEFAULT_OBJECTIVES
from pyro_mmvae.own_code import is_own

Switch = tyro.conf.FlagConversionOff[bool]
SIDES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class FaceConfig(RunConfig):
    """Which faces, as squares of which size, and what a pixel is."""

    guide: GuideName = "set"
    objective_options: tuple[str, ...] | None = None
    """Options of the objective as name=value. None: of smvae num_subsets=3; see the experiment's page for others."""
    data: Path | None = None
    """Folder of CelebA: img_align_celeba.zip or img_align_celeba/, and the text files, there or in Anno/ and Eval/.
    None: drawn faces in the same layout."""
    synthetic: Path = Path("data/synthetic_faces")
    """Where drawn faces are kept; made if not there, reused by the next run."""
    synthetic_faces: Annotated[int, Meta(ge=10)] = 4000
    """Number of drawn faces, of which 80 % are to train on and 10 % to test on."""
    side: Literal[16, 32, 64, 128] = 64
    """Side of the pictures in pixels."""
    crop: Annotated[int, Meta(ge=8)] | None = None
    """Side of the square in the middle of a picture that becomes these. None: the picture's shorter side, 178."""
    samples: Samples | None = None
    """Training faces to use: a share (up to 1), or a number. None: all."""
    preload: Switch = True
    """Keep decoded squares in memory, 3 S^2 bytes a face."""
    workers: Count = 0
    """Processes that load data."""
    width: Positive = 16
    """Channels of the first convolution of a picture, and of the last one of its decoder."""
    density: str = "laplace"
    """Density of pixels: laplace or normal; bernoulli, of zeros and ones that are drawn once with the values as
    probabilities; cross_entropy, which is none, so that there are no log-likelihoods; or your own likelihood by its
    import path, file.py:Class, made from the event's shape and the scale."""
    density_scale: PositiveNumber = 0.1
    """Scale of laplace, normal and your own density."""
    num_samples: Positive = 100
    """Importance samples for each log-likelihood."""
    test_samples: Positive | None = 200
    """Faces that log-likelihoods are of, always the same ones. None: all."""

    def implied(self) -> dict[str, Any]:
        """Return the guide's own objective, and how many subsets it draws in a step."""
        objective = DEFAULT_OBJECTIVES.get(self.guide, "mixing")
        chosen = ("num_subsets=3",) if self.objective == "smvae" else ()
        options = None if self.objective is None else chosen
        return {**super().implied(), "objective": objective, "objective_options": options}

    @property
    def code(self) -> tuple[str, ...]:
        """What may name code of the user's own."""
        return (*super().code, self.density)

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        there = self.density in ("laplace", "normal", "bernoulli", "cross_entropy") or is_own(self.density)
        self.require("density", there, "laplace, normal, bernoulli, cross_entropy or file.py:Class")

    @property
    def pixels(self) -> str:
        """What a pixel is, in words, and so what the log-likelihood of a picture means."""
        if self.density == "bernoulli":
            return "zeros and ones, drawn once with the values as probabilities"
        if self.density == "cross_entropy":
            return "values in [0, 1], scored by cross-entropy, which is no density"
        return f"values in [0, 1], under a {self.density} density of scale {self.density_scale:g}"
