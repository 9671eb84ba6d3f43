"""Options of the experiment with entangled sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from pyro_mmvae.experiments.common.choices import GuideName
from pyro_mmvae.experiments.common.names import known, names_in

Kind = Literal["entangled", "mixed"]
KINDS: tuple[Kind, ...] = ("entangled", "mixed")


@dataclass(frozen=True)
class Config:
    """Options of a run: two conditional autoencoders, two sets of pairs, a model for each set and objective."""

    experiment: ClassVar[str] = "entangled"

    first: Path | None = None
    """Folder with MNIST's files, as published. None: scikit-learn's digits, enlarged."""
    second: Path | None = None
    """Folder with FashionMNIST's files, as published. None: ten kinds of rendered shapes."""
    objectives: Annotated[
        tuple[str, ...], tyro.conf.arg(help_behavior_hint=f"of: {', '.join(names_in('pyro_mmvae.objectives'))}")
    ] = ("jmvae", "m2vae")
    """Training bounds to compare."""
    sets: tuple[Kind, ...] = KINDS
    """Sets of pairs to train on: as made, and mixed within each class."""
    guide: GuideName = "joint"
    """Inference program, the same for all."""
    guide_options: tuple[str, ...] = ("networks=per_subset", "hidden=64")
    """Options of the guide as name=value. Give none, `--guide-options`, with a guide that has no such options."""
    samples: int = 6000
    """Pairs that are drawn for training."""
    test_samples: int = 1000
    """Pairs on which the models are judged."""
    num_samples: int = 300
    """Importance samples K of the log-likelihoods."""
    cvae_latent: int = 2
    """Latent dimension of the conditional autoencoders."""
    cvae_hidden: int = 256
    """Width of their two hidden layers."""
    cvae_epochs: int = 40
    """Passes over each uni-modal set."""
    cvae_beta: float = 1.0
    """Weight of their KL."""
    latent_dim: int = 2
    """Dimension of z."""
    widths: tuple[int, ...] = (128, 64)
    """Hidden layers of encoders, and of decoders in reverse."""
    epochs: int = 30
    """Passes over the pairs."""
    batch_size: int = 128
    """Samples in a step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    seed: int = 0
    """Of everything random."""
    device: str = "auto"
    """auto, cpu, cuda (or another Lightning accelerator)."""
    precision: str = "32-true"
    """Lightning precision."""
    out: Path = Path("runs/entangled")
    """Folder for all; folders in it for the autoencoders, and for each set and objective."""
    resume: bool = False
    """Go on where a stopped run was; what is finished is not trained again."""
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

    def of(self, kind: Kind, objective: str) -> Config:
        """Return the options of one set's and objective's run."""
        run = self.out / f"{kind}-{objective}"
        begun = self.resume and (run / "checkpoints").exists()
        return replace(self, sets=(kind,), objectives=(objective,), out=run, resume=begun)


_POSITIVE = (
    *("samples", "num_samples", "batch_size", "epochs", "latent_dim"),
    *("cvae_latent", "cvae_hidden", "cvae_epochs"),
)


def resolved(config: Config) -> Config:
    """Refuse names that do not exist and numbers out of range.

    Raises:
        ValueError: there is one.
    """
    known("pyro_mmvae.guides", config.guide)
    for name in config.objectives:
        known("pyro_mmvae.objectives", name)
    for option in ("objectives", "sets", "widths"):
        if not getattr(config, option):
            raise ValueError(f"--{option}: expected at least one")
    for option in _POSITIVE:
        if getattr(config, option) < 1:
            raise ValueError(f"--{option.replace('_', '-')}: expected at least 1, got {getattr(config, option)}")
    if config.test_samples < 20:
        raise ValueError(f"--test-samples: expected at least 20, got {config.test_samples}")
    return replace(config, config=None)
