"""Guides, objectives and programs by name: found without being imported, built with options from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from pyro_mmvae.named_options import built as built
from pyro_mmvae.own_code import is_own
from pyro_mmvae.registry import member_names, member_paths

GUIDES, OBJECTIVES = "pyro_mmvae.guides", "pyro_mmvae.objectives"
EXPERIMENTS = "pyro_mmvae.experiments"


def _hint(package: str) -> Any:
    names = ", ".join(member_names(package))
    return tyro.conf.arg(
        help_behavior_hint=lambda default: f"(one of {names}, or your own: file.py:NAME; default: {default})"
    )


GuideName = Annotated[str, _hint(GUIDES)]
"""Name of a guide; `--help` lists them."""
ObjectiveName = Annotated[str, _hint(OBJECTIVES)]
"""Name of an objective; `--help` lists them."""


def experiments() -> list[str]:
    """Return the names of all experiments: what can be run and has a file `experiment.py`."""
    return [folder.name for folder in folders("__main__.py", "experiment.py")]


def refuse_unknown_experiment(name: str) -> None:
    """Refuse a name that is neither an experiment's nor an import path.

    Raises:
        ValueError: lists the experiments.
    """
    if not is_own(name) and name not in (there := experiments()):
        own = "or give your own by its import path: package.module:Experiment or file.py:Experiment"
        raise ValueError(f"unknown experiment {name!r}; choose one of {', '.join(there)}, {own}")


def folders(*files: str) -> list[Path]:
    """Return the folders in `experiments` that hold all of these files."""
    folders = [Path(path, name) for name in member_names(EXPERIMENTS) for path in member_paths(EXPERIMENTS)]
    return [folder for folder in folders if all((folder / file).is_file() for file in files)]


def prog(name: str) -> str:
    """Return how the running program was called: `python -m experiments.NAME`, or `mmvae NAME`."""
    if sys.argv[0].startswith("mmvae ") or is_own(name):
        return f"mmvae {name}"
    return f"python -m experiments.{name}"
