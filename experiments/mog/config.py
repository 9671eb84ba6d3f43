"""Options of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from pyro_mmvae.experiments.common.choices import GuideName
from pyro_mmvae.experiments.common.names import known, names_in


@dataclass(frozen=True)
class Config:
    """Options of a run: one model for each objective, on data that the experiment draws itself."""

    experiment: ClassVar[str] = "mog"

    objectives: Annotated[
        tuple[str, ...], tyro.conf.arg(help_behavior_hint=f"of: {', '.join(names_in('pyro_mmvae.objectives'))}")
    ] = ("jmvae", "telbo", "m2vae")
    """Training bounds to compare."""
    guide: GuideName = "joint"
    """Inference program, the same for all."""
    guide_options: tuple[str, ...] = ("networks=per_subset", "hidden=64")
    """Options of the guide as name=value. Give none, `--guide-options`, with a guide that has no such options."""
    samples: int = 4000
    """Training samples."""
    test_samples: int = 1000
    """Samples on which the models are judged."""
    num_samples: int = 1000
    """Importance samples K of the log-likelihoods."""
    latent_dim: int = 2
    """Dimension of z."""
    hidden: int = 128
    """Width of the hidden layer of encoders and decoders."""
    epochs: int = 60
    """Passes over the training samples."""
    batch_size: int = 128
    """Samples in a step."""
    learning_rate: float = 2e-3
    """Of Adam."""
    seed: int = 0
    """Of everything random; the data are those of the seed too."""
    device: str = "auto"
    """auto, cpu, cuda (or another Lightning accelerator)."""
    precision: str = "32-true"
    """Lightning precision."""
    out: Path = Path("runs/mog")
    """Folder for all; a folder in it for each objective."""
    resume: bool = False
    """Go on where a stopped run was; finished objectives are not trained again."""
    logger: Literal["csv", "tensorboard"] = "csv"
    """history.csv is always written; tensorboard writes its own files besides."""
    figures: bool = True
    """Draw figures."""
    config: Path | None = None
    """YAML file with any of these options; the command line wins."""

    # What the common code asks of every run, and this one does not leave open.
    clip: ClassVar[float] = 0.0
    early_stop: ClassVar[int | None] = None
    devices: ClassVar[int] = 1
    nodes: ClassVar[int] = 1
    data: ClassVar[Path | None] = None

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.out

    def of(self, objective: str) -> Config:
        """Return the options of one objective's run."""
        run = self.out / objective
        return replace(self, objectives=(objective,), out=run, resume=self.resume and (run / "checkpoints").exists())


def resolved(config: Config) -> Config:
    """Refuse names that do not exist and numbers out of range.

    Raises:
        ValueError: there is one.
    """
    known("pyro_mmvae.guides", config.guide)
    if not config.objectives:
        raise ValueError("--objectives: expected at least one")
    for name in config.objectives:
        known("pyro_mmvae.objectives", name)
    for name in ("samples", "num_samples", "latent_dim", "hidden", "epochs", "batch_size"):
        if getattr(config, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(config, name)}")
    if config.test_samples < 2:
        raise ValueError(f"--test-samples: expected at least 2, got {config.test_samples}")
    return replace(config, config=None)
