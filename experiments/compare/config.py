"""Options of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pyro_mmvae.experiments.common.by_name import GUIDES, OBJECTIVES, experiments, refuse_unknown_experiment
from pyro_mmvae.experiments.common.ranges import Positive, check
from pyro_mmvae.own_code import short
from pyro_mmvae.registry import refuse_unknown

ABOUT = """Train every combination of guides, objectives, values of options and seeds, and compare the results.

    python -m experiments.compare --guides poe set --objectives mvae smvae --seeds 3 --epochs 30
    python -m experiments.compare --experiment rhd --guides moe poe:prior_expert=never gpoe --jobs 2
    python -m experiments.compare --guides poe --vary latent_dim 8 16 32 --judge validation
    python -m experiments.compare --experiment rhd --vary pixel_corruption 0 0.25 0.5 --vary corrupt train both
    python -m experiments.compare --experiment rhd --study sensor_failure

Options that are not named below go to every run; see the experiment's own --help. Writes comparison.md, .csv, .json
and figures into --out. A comparison that was stopped goes on when it is started again; a run that failed is tried
again."""


THERE = ", ".join([*experiments(), "or your own: file.py:Experiment"])


@dataclass(frozen=True)
class Config:
    """Options of a comparison. All others, such as --epochs or --data, are handed on to every run."""

    experiment: Annotated[str, tyro.conf.arg(help_behavior_hint=f"(one of {THERE})")] = "mnist"
    """What is run."""
    study: str | None = None
    """Guides, options and values by the name of a study (see the experiment's page); all can be given besides."""
    guides: tuple[str, ...] | None = None
    """Inference programs, each with options of its own if need be, as NAME:option=value,option=value. Each is combined
    with each objective. None: the experiment's own choice."""
    objectives: tuple[str, ...] | None = None
    """Training bounds, likewise. A combination that cannot work is left out and named at the end, with the reason.
    None: the experiment's own choice."""
    vary: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """An option of the runs with its values, e.g. `--vary latent_dim 8 16`; may be given again for another option. The
    results are drawn over the first one that has numbers."""
    seeds: Positive = 3
    """Number of seeds, 0 to SEEDS - 1, for each combination."""
    jobs: Positive = 1
    """Runs at a time, each in a process of its own; they share the processor's cores."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers do the runs, on machines that share this folder (extra: sweep)."""
    reference: str | None = None
    """Variant that the others are compared with, as the tables name it, e.g. poe/mvae. None: the best in the first
    column."""
    out: Path | None = None
    """Folder for runs, tables and figures; runs that are finished there are taken as they are. None:
    runs/compare/EXPERIMENT, or EXPERIMENT-STUDY."""

    @property
    def folder(self) -> Path:
        """The folder for everything."""
        return self.out or Path("runs/compare") / "-".join([short(self.experiment), *filter(None, [self.study])])


def checked(config: Config) -> Config:
    """Refuse names that do not exist and numbers out of range.

    Raises:
        ValueError: there is one.
    """
    check(config)
    refuse_unknown_experiment(config.experiment)
    for package, words in ((GUIDES, config.guides), (OBJECTIVES, config.objectives)):
        for word in words or ():
            refuse_unknown(package, Choice.of(word).name)
    for words in config.vary:
        if len(words) < 2:
            raise ValueError(f"--vary: expected an option and its values, got {' '.join(words) or 'nothing'}")
    return config


@dataclass(frozen=True)
class Choice:
    """A guide or objective with options of its own."""

    name: str
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, word: str) -> Choice:
        """Read `NAME:option=value,option=value`."""
        name, colon, options = word.rpartition(":")
        if not colon or "=" not in options:
            return cls(word)
        return cls(name, tuple(options.split(",")))

    def __str__(self) -> str:
        return self.name + (f":{','.join(self.options)}" if self.options else "")
