"""The options that every run has, whatever the experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pyro_mmvae.experiments.common.by_name import GUIDES, OBJECTIVES, GuideName, ObjectiveName
from pyro_mmvae.experiments.common.ranges import Count, Positive, PositiveShare, Weight, check, option
from pyro_mmvae.own_code import short
from pyro_mmvae.registry import refuse_unknown


class Preset(NamedTuple):
    """A whole configuration: what the dataclass has as defaults, but for these options.

    Attributes:
        title: what it is, e.g. a paper.
        printed: options whose values the paper prints.
        chosen: options on which it is silent, or from which we depart; the values are ours.
        notes: what no option can say, a line each.
    """

    title: str
    printed: Mapping[str, Any] = {}
    chosen: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """All options that differ from the defaults."""
        return {**self.chosen, **self.printed}


class Comparison(NamedTuple):
    """What a comparison of an experiment varies unless it is told otherwise."""

    guides: tuple[str, ...]
    objectives: tuple[str, ...] = ()
    """None: the default objective of each guide."""
    vary: Mapping[str, tuple[str, ...]] = {}
    """Further options with their values, as words of the command line."""
    options: tuple[str, ...] = ()
    """Options of every run, likewise."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Options of a run. An experiment's `Config` derives from it, and its defaults are those of the demo."""

    experiment: ClassVar[str]
    """Name of the experiment's folder; of one's own, the import path by which it was found, which need not be given."""
    about: ClassVar[str]
    """What `--help` says first."""
    comparison: ClassVar[Comparison]
    """Default of `experiments.compare`."""
    studies: ClassVar[Mapping[str, Comparison]] = {}
    """Further comparisons by name, such as a paper's: `--study NAME`."""
    tiny: ClassVar[tuple[str, ...]]
    """Options with which a run takes seconds, as words of the command line: for tests, and for trying things out."""
    free: ClassVar[frozenset[str]] = frozenset()
    """The experiment's own options that may differ between a run and its continuation."""
    commands: ClassVar[Mapping[str, type]] = {}
    """Options of what can be done with a trained run, by the word that asks for it; see `Experiment.commands`."""

    guide: GuideName
    """Inference program: how the posteriors of several inputs become one."""
    guide_options: tuple[str, ...] | None = None
    """Options of the guide as name=value, e.g. `prior_expert=never` (poe). None: those that suit the experiment."""
    objective: ObjectiveName | None = None
    """Training bound. None: the one that suits the guide."""
    objective_options: tuple[str, ...] | None = None
    """Options of the objective as name=value, e.g. `alpha=0.1` (jmvae). None: those that suit the experiment."""
    cross_correlation: Weight = 0.0
    """Weight of a penalty on the cross-correlation of every two inputs' posteriors (Gupta 2021, section 5.3)."""
    cross_correlation_norm: Literal["l1", "l2"] = "l1"
    """Its norm."""
    latent_dim: Positive = 64
    """Dimension of z."""

    epochs: Positive = 60
    """Passes over the training samples."""
    batch_size: Positive = 128
    """Samples in a step, over all devices together."""
    learning_rate: Weight = 1e-3
    """Of the optimiser."""
    optimiser: Literal["adam", "rmsprop"] = "adam"
    """What takes the steps."""
    lr_schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    """Learning rate over the run."""
    lr_decay: PositiveShare = 0.99
    """Factor of the exponential learning rate after every epoch."""
    warmup: Count = 0
    """Steps in which the learning rate rises at first."""
    clip: Weight = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    beta_start: Weight | None = None
    """Weight of the KL in the first step. None: that of the end."""
    beta_end: Weight = 1.0
    """Weight of the KL after the warm-up; the bound is one on the log-likelihood only for 1."""
    beta_share: PositiveShare = 0.5
    """Share of the run in which beta goes from start to end."""
    beta_shape: Literal["linear", "geometric"] = "linear"
    """How it goes there; geometric needs a start above 0, and is linear from 0."""
    particles: Positive = 1
    """Latent draws per sample and row."""
    early_stop: Positive | None = None
    """Stop when held-out samples have not improved for this many epochs. None: never."""
    judge: Literal["test", "validation"] = "test"
    """Samples that the results are of; choose by those held out from training, so that nobody tunes on the test set."""
    seed: Count = 0
    """Of everything random."""

    device: str = "auto"
    """auto, cpu, cuda (or another Lightning accelerator)."""
    devices: Positive = 1
    """Number of devices on each node; more than one trains by DDP."""
    nodes: Positive = 1
    """Number of nodes."""
    precision: str = "32-true"
    """Lightning precision, e.g. 32-true, bf16-mixed, 64-true."""
    compiled: bool = False
    """Compile encoders and decoders by torch.compile: minutes at the start, and a gain only on some machines."""

    mapper_on: Path | None = None
    """Freeze this finished run and train a mapper alone on top, from one input's posterior to another's (Theodoridis et
    al. 2020). Options are the run's unless given here, such as --epochs."""
    mapper_options: tuple[str, ...] = ()
    """Options of that mapper as name=value: of the guide `mapper`, e.g. `onto=label`, and weights of the objective
    `variational_alignment`, e.g. `distance=0.1`."""

    paper: str | None = None
    """Take the settings of a paper, see the experiment's page; the command line wins over the paper."""
    out: Path | None = None
    """Run folder. None: a folder in runs/ named after the options that matter."""
    resume: bool = False
    """Go on from the last checkpoint in the run folder."""
    logger: Literal["csv", "tensorboard"] = "csv"
    """history.csv is always written; tensorboard writes its own files besides."""
    figures: bool = True
    """Draw figures at the end."""
    config: Path | None = None
    """YAML file with any of these options; the command line wins. Every run writes one, config.yaml."""

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the presets by name; those of papers are asked for with `--paper`."""
        return {}

    def implied_preset(self) -> str | None:
        """Return the preset that other options imply, e.g. that real data are given; None: the demo."""
        return None

    @property
    def preset(self) -> Preset | None:
        """The preset in force.

        Raises:
            ValueError: there is no such paper.
        """
        name, there = self.paper or self.implied_preset(), self.presets()
        if name is not None and name not in there:
            raise ValueError(f"--paper: expected one of {', '.join(there) or 'none, there is no preset'}, got {name!r}")
        return there[name] if name is not None else None

    def implied(self) -> dict[str, Any]:
        """Return values of options that were left open (None) and follow from others."""
        return {"guide_options": ()}

    def reopened(self) -> RunConfig:
        """Return the options to build a trained run's model with; weights to begin with are then not needed, say."""
        return self

    @property
    def code(self) -> tuple[str, ...]:
        """What may name code of the user's own."""
        return (self.experiment, self.guide, self.objective or "")

    @property
    def run_name(self) -> str:
        """Name of the run folder inside `runs/EXPERIMENT`."""
        paper = f"{self.paper}-" if self.paper else ""
        return f"{paper}{short(self.guide)}-{short(self.objective or '')}-s{self.seed}"

    @property
    def run(self) -> Path:
        """The run folder."""
        if self.out is None and self.mapper_on is not None:
            return self.mapper_on.with_name(f"{self.mapper_on.name}-mapper")
        return self.out or Path("runs") / short(self.experiment) / self.run_name

    @property
    def num_processes(self) -> int:
        """Number of training processes."""
        return self.devices * self.nodes

    def check(self) -> None:
        """Refuse names that do not exist, numbers out of range, and options that do not fit together.

        Raises:
            ValueError: says which option, what was expected and what it is.
        """
        refuse_unknown(GUIDES, self.guide)
        refuse_unknown(OBJECTIVES, self.objective or "")
        check(self)
        if self.batch_size % self.num_processes:
            raise ValueError(f"--batch-size {self.batch_size} does not divide among {self.num_processes} processes")
        if self.beta_shape == "geometric" and (self.beta_start or 0) > 0 and self.beta_end == 0:
            raise ValueError("--beta-end: expected a positive weight, as beta goes there geometrically")
        self.check_together()

    def check_together(self) -> None:
        """Refuse the experiment's own options that do not fit together.

        Raises:
            ValueError: see `check`.
        """

    def require(self, name: str, fine: bool, expected: str) -> None:
        """Refuse an option.

        Raises:
            ValueError: it is not fine.
        """
        if not fine:
            raise ValueError(f"{option(name)}: expected {expected}, got {getattr(self, name)}")
