"""The runs of a comparison: which there are, which cannot work, and which are finished."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.claim import FREE
from pyro_mmvae.experiments.common.runs import CHECKPOINT, CONFIG, METRICS
from pyro_mmvae.experiments.compare.config import Config


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        experiment: name of the experiment.
        guide: name of the guide.
        objective: name of the objective.
        seed: of the run.
        folder: its run folder.
        arguments: of the experiment's command line, without `--resume`.
        options: the same, parsed.
    """

    experiment: str
    guide: str
    objective: str
    seed: int
    folder: Path
    arguments: tuple[str, ...]
    options: Any = field(compare=False)

    @property
    def variant(self) -> str:
        """Guide and objective as one name."""
        return f"{self.guide}/{self.objective}"

    @property
    def finished(self) -> bool:
        """Whether the run has its results; a damaged file counts as none, and the run is evaluated again."""
        try:
            self.metrics()
        except (FileNotFoundError, ValueError):
            return False
        return True

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
        found: dict[str, Any] = json.loads((self.folder / METRICS).read_text())
        return found


def plan(config: Config, handed_on: Sequence[str]) -> tuple[list[Run], dict[str, str]]:
    """Return all runs, and the reasons why some combinations cannot work.

    Args:
        config: of the comparison.
        handed_on: options for every run.

    Raises:
        SystemExit: the experiment does not know one of these options; the message has been printed.
        ValueError: an option is out of range or belongs to the comparison, or a folder holds a run with other options.
    """
    _refuse_own_options(config, handed_on)
    runs, misfits = [], {}
    for guide, objective in product(dict.fromkeys(config.guides), dict.fromkeys(config.objectives)):
        made = [_run(config, handed_on, guide, objective, seed) for seed in range(config.seeds)]
        try:
            importlib.import_module(f"pyro_mmvae.experiments.{config.experiment}.build").build_pair(made[0].options)
        except ValueError as error:
            misfits[made[0].variant] = str(error)
            continue
        runs += made
    for run in runs:
        _refuse_other_options(run)
    return runs, misfits


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
    for word in handed_on:
        name = word.partition("=")[0].removeprefix("--").removeprefix("no-")
        if word.startswith("--") and name in OWN:
            raise ValueError(f"--{name} is set by the comparison for each run; give {OWN[name]}")
    variants = [f"{g}/{o}" for g, o in product(config.guides, config.objectives)]
    if config.reference is not None and config.reference not in variants:
        raise ValueError(f"--reference {config.reference}: expected one of {', '.join(variants)}")


def _run(config: Config, handed_on: Sequence[str], guide: str, objective: str, seed: int) -> Run:
    folder = config.out / "runs" / f"{guide}-{objective}-s{seed}"
    chosen = {"guide": guide, "objective": objective, "seed": str(seed), "out": str(folder)}
    arguments = [*handed_on, *(word for name, value in chosen.items() for word in (f"--{name}", value))]
    module = importlib.import_module(f"pyro_mmvae.experiments.{config.experiment}.config")
    parsed = configuration.parse(module.Config, arguments, f"python -m experiments.{config.experiment}", "")
    return Run(config.experiment, guide, objective, seed, folder, tuple(arguments), module.resolved(parsed))


def _refuse_other_options(run: Run) -> None:
    """A finished run with other options would be compared with its unlike."""
    if not (run.folder / CONFIG).exists():
        return
    before = asdict(configuration.read(type(run.options), run.folder / CONFIG))
    now = asdict(run.options)
    free = FREE | {"workers", "preload"}
    if changed := {n: (before[n], now[n]) for n in now if n not in free and before[n] != now[n]}:
        listed = ", ".join(f"{n}: {a} -> {b}" for n, (a, b) in changed.items())
        raise ValueError(f"{run.folder} holds a run with other options ({listed}); give another folder with --out")
