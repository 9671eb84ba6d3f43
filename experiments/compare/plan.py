"""The runs of a comparison: which there are, which cannot work, and which are finished."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.by_name import prog
from pyro_mmvae.experiments.common.columns import Column, Curve
from pyro_mmvae.experiments.common.driver import config_class, configured, experiment_class
from pyro_mmvae.experiments.common.ranges import option
from pyro_mmvae.experiments.common.run_config import Comparison, RunConfig
from pyro_mmvae.experiments.common.run_folder import CHECKPOINT, METRICS, refuse_other_options
from pyro_mmvae.experiments.compare.config import Choice, Config
from pyro_mmvae.files import read_json


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        guide: with its own options.
        objective: likewise.
        varied: values of the varied options, as words, by name.
        seed: of the run.
        arguments: of the experiment's command line, without `--resume`.
        config: the same, parsed.
    """

    guide: str
    objective: str
    varied: tuple[tuple[str, str], ...]
    seed: int
    arguments: tuple[str, ...]
    config: RunConfig = field(compare=False)

    @property
    def model(self) -> str:
        """Guide and objective as one name."""
        return f"{self.guide}/{self.objective}"

    @property
    def variant(self) -> str:
        """Everything but the seed as one name."""
        return " ".join([self.model, *(f"{name}={value}" for name, value in self.varied)])

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.config.run

    @property
    def finished(self) -> bool:
        """Whether the run has its results; a damaged file, or one of something else, counts as none."""
        try:
            self.curves()
            return bool(self.columns())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            return False

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / CHECKPOINT).is_file()

    def metrics(self) -> dict[str, Any]:
        """Return the results of a finished run.

        Raises:
            FileNotFoundError: it has none.
            ValueError: the file is damaged.
        """
        return read_json(self.folder / METRICS)

    def columns(self) -> dict[str, Column]:
        """Return the numbers of a finished run."""
        return experiment_class(self.config.experiment).columns(self.metrics())

    def curves(self) -> dict[str, Curve]:
        """Return the curves of a finished run, by title."""
        return experiment_class(self.config.experiment).curves(self.metrics())


def plan(config: Config, handed_on: Sequence[str]) -> tuple[list[Run], dict[str, str]]:
    """Return all runs, and the reasons why some combinations cannot work.

    Args:
        config: of the comparison, checked.
        handed_on: options for every run.

    Raises:
        SystemExit: the experiment does not know one of these options; the message has been printed.
        ValueError: an option is out of range or belongs to the comparison, or a folder holds a run with other options.
    """
    handed_on = [*_own(config).options, *handed_on]
    _refuse_own_options(config, handed_on)
    runs: list[Run] = []
    misfits: dict[str, str] = {}
    for guide, objective, varied in _combinations(config):
        made = [_run(config, handed_on, guide, objective, varied, seed) for seed in range(config.seeds)]
        try:
            configured(made[0].config).loss()
        except ValueError as error:
            misfits[made[0].variant] = str(error)
            continue
        runs += made
    variants = list(dict.fromkeys(run.variant for run in runs))
    if config.reference is not None and config.reference not in variants:
        raise ValueError(f"--reference {config.reference}: expected one of {', '.join(variants)}")
    for run in runs:
        refuse_other_options(run.config)
    return runs, misfits


def varied_options(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the varied options with their values, as words: those asked for or, without any, the experiment's own."""
    if config.vary:
        return {words[0].lstrip("-").replace("-", "_"): tuple(dict.fromkeys(words[1:])) for words in config.vary}
    own_choice = config.study or (config.guides is None and config.objectives is None)
    return dict(_own(config).vary) if own_choice else {}


def _own(config: Config) -> Comparison:
    """Return what the experiment compares, by itself or in a study."""
    cls = config_class(config.experiment)
    if config.study is None:
        return cls.comparison
    if config.study not in cls.studies:
        there = ", ".join(cls.studies) or "none"
        raise ValueError(f"--study {config.study}: unknown; studies of {config.experiment} are: {there}")
    return cls.studies[config.study]


def _combinations(config: Config) -> Iterator[tuple[Choice, Choice | None, dict[str, str]]]:
    own = _own(config)
    guides = [Choice.of(word) for word in dict.fromkeys(config.guides or own.guides)]
    words = own.objectives if config.objectives is None else config.objectives
    objectives: list[Choice | None] = [Choice.of(word) for word in dict.fromkeys(words)]
    varied = varied_options(config)
    for guide, objective in product(guides, objectives or [None]):
        for values in product(*varied.values()):
            yield guide, objective, dict(zip(varied, values, strict=True))


OWN = {
    "guide": "--guides",
    "objective": "--objectives",
    "seed": "--seeds, the number of seeds from 0 on",
    "out": "the comparison's own --out",
    "resume": "nothing: a comparison always goes on where it was",
    "config": "options one by one",
}
"""Options of a run that the comparison sets, and what to give instead."""


def _refuse_own_options(config: Config, handed_on: Sequence[str]) -> None:
    """A single guide among the options of the runs would be overridden without a word."""
    names = [word.partition("=")[0].removeprefix("--").removeprefix("no-") for word in handed_on if word[:2] == "--"]
    for name in [name.replace("-", "_") for name in names] + list(varied_options(config)):
        if name in OWN:
            raise ValueError(f"--{name} is set by the comparison for each run; give {OWN[name]}")
    if both := sorted(set(varied_options(config)) & {name.replace("-", "_") for name in names}):
        raise ValueError(f"{option(both[0])} is varied: it cannot be given to every run as well")


def _run(
    config: Config,
    handed_on: Sequence[str],
    guide: Choice,
    objective: Choice | None,
    varied: Mapping[str, str],
    seed: int,
) -> Run:
    words = [*handed_on, "--guide", guide.name, "--seed", str(seed)]
    words += ["--guide-options", *guide.options] if guide.options else []
    if objective is not None:
        words += ["--objective", objective.name]
        words += ["--objective-options", *objective.options] if objective.options else []
    for name, value in varied.items():
        words += [option(name), *shlex.split(value)]
    made = [str(guide), str(objective) if objective else "", *(f"{n}={v}" for n, v in varied.items()), f"s{seed}"]
    folder = config.folder / "runs" / re.sub(r"[^\w=.,+-]+", "_", "-".join(part for part in made if part))
    words += ["--out", str(folder)]
    parsed = configuration.parse_run(config_class(config.experiment), words, prog(config.experiment))
    named = str(objective) if objective else parsed.objective or ""
    return Run(str(guide), named, tuple(varied.items()), seed, tuple(words), parsed)
