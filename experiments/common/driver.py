"""One driver for all experiments: their command line, and their classes by name."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyro_mmvae.command import run_command
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.by_name import EXPERIMENTS, prog, refuse_unknown_experiment
from pyro_mmvae.experiments.common.ranges import check
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.common.run_folder import CONFIG
from pyro_mmvae.own_code import is_own, refuse_unnamed
from pyro_mmvae.plain_yaml import read_mapping
from pyro_mmvae.registry import load_class

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
    """Return the class of an experiment's options; PyTorch is not imported for one of this package.

    Raises:
        ValueError: there is no such experiment.
    """
    if is_own(name):
        return experiment_class(name).config_class(name)
    refuse_unknown_experiment(name)
    found: type[RunConfig] = importlib.import_module(f"{EXPERIMENTS}.{name}.config").Config
    return found


def experiment_class(name: str) -> type[Experiment[Any]]:
    """Return an experiment's class.

    Raises:
        ValueError: there is no such experiment.
    """
    refuse_unknown_experiment(name)
    from pyro_mmvae.experiments.common.experiment import Experiment

    if is_own(name):
        found: type[Experiment[Any]] = load_class(EXPERIMENTS, name, Experiment)
    else:
        found = importlib.import_module(f"{EXPERIMENTS}.{name}.experiment").Experiment
    return found


def configured(config: RunConfig) -> Experiment[Any]:
    """Return the experiment that a configuration is of, with a mapper on top of it if there is to be one."""
    cls = experiment_class(config.experiment)
    if config.mapper_on is not None:
        from pyro_mmvae.experiments.common.mapper_on import on_top

        cls = on_top(cls)
    return cls(config)


def read_config(run: Path, allow: Collection[str] = ()) -> RunConfig:
    """Return the configuration of a run, checked; `out` is where the folder is now.

    Args:
        run: the folder.
        allow: import paths of code from outside this package that the run may name. Nothing else is imported.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: the file is damaged, of no experiment that is here, or names other code.
    """
    path = run / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"no run in {run}: expected a file {CONFIG} there")
    name = str(read_mapping(path).get(configuration.EXPERIMENT))
    refuse_unnamed([name], allow, str(path), ALLOW)
    try:
        cls = config_class(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    config = replace(configuration.read(cls, path), out=run)
    refuse_unnamed(config.code, allow, str(path), ALLOW)
    try:
        config.check()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return config


ALLOW = "--allow {}"
"""What to add to a command that opens a run with code of the user's own."""
