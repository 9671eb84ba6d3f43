"""One driver for all experiments: their command line, and their classes by name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.by_name import EXPERIMENTS, experiments, prog
from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.ranges import check
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.common.run_folder import CONFIG

if TYPE_CHECKING:  # it imports PyTorch, for which a reader of `--help` should not have to wait
    from pyro_mmvae.experiments.common.experiment import Experiment


def main(name: str, argv: Sequence[str] | None = None) -> None:
    """Run an experiment's command line; errors that a user can mend end in one line and exit code 2."""
    run_command(prog(name), partial(_run, name), argv)


def _run(name: str, words: list[str]) -> None:
    cls = config_class(name)
    if words and words[0] in cls.commands:
        options = cls.commands[words[0]]
        chosen: Any = configuration.parse(options, words[1:], f"{prog(name)} {words[0]}", options.__doc__ or "")
        check(chosen)
        experiment_class(name).commands[words[0]](chosen)
    else:
        config = configuration.parse_run(cls, words, prog(name))
        from pyro_mmvae.experiments.common.runs import train  # PyTorch waits until it is clear what to do

        train(config)


def config_class(name: str) -> type[RunConfig]:
    """Return the class of an experiment's options; PyTorch is not imported.

    Raises:
        ValueError: there is no such experiment.
    """
    if name not in (there := experiments()):
        raise ValueError(f"unknown experiment {name!r}; choose one of {', '.join(there)}")
    found: type[RunConfig] = importlib.import_module(f"{EXPERIMENTS}.{name}.config").Config
    return found


def experiment_class(name: str) -> type[Experiment[Any]]:
    """Return an experiment's class.

    Raises:
        ValueError: there is no such experiment.
    """
    config_class(name)
    found: type[Experiment[Any]] = importlib.import_module(f"{EXPERIMENTS}.{name}.experiment").Experiment
    return found


def configured(config: RunConfig) -> Experiment[Any]:
    """Return the experiment that a configuration is of."""
    return experiment_class(config.experiment)(config)


def read_config(run: Path) -> RunConfig:
    """Return the configuration of a run, checked; `out` is where the folder is now.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: the file is damaged, or of no experiment that is here.
    """
    path = run / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"no run in {run}: expected a file {CONFIG} there")
    name = configuration.mapping(path).get(configuration.EXPERIMENT)
    if name not in (there := experiments()):
        raise ValueError(f"{path} is of no experiment that can be opened ({name!r}); there are {there}")
    config = replace(configuration.read(config_class(name), path), out=run)
    config.check()
    return config
