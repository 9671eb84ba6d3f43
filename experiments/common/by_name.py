"""Guides, objectives and programs by name: found without being imported, built with options from the command line."""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pyro_mmvae.experiments.common.configuration import options

if TYPE_CHECKING:  # importing them means importing PyTorch, for which a reader of `--help` should not have to wait
    from pyro_mmvae import Guide, Modality, Objective
    from pyro_mmvae.schedules import Weight

GUIDES, OBJECTIVES = "pyro_mmvae.guides", "pyro_mmvae.objectives"
EXPERIMENTS = "pyro_mmvae.experiments"


def names_in(package: str) -> list[str]:
    """Return the names of a package's members, as `pyro_mmvae.registry.member_names` does; nothing is imported.

    Args:
        package: e.g. `pyro_mmvae.guides`.
    """
    found = pkgutil.iter_modules(_paths(package))
    return sorted(info.name for info in found if not info.name.startswith("_") and info.name != "base")


def _paths(package: str) -> list[str]:
    if package in sys.modules:
        return list(sys.modules[package].__path__)
    root, *inner = package.split(".")
    spec = find_spec(root)
    roots = (spec and spec.submodule_search_locations) or []
    return [str(Path(path, *inner)) for path in roots]


def known(package: str, name: str) -> None:
    """Refuse a name that is not among the package's members.

    Raises:
        ValueError: it is not; the message lists those that there are.
    """
    if name not in (names := names_in(package)):
        raise ValueError(f"unknown name {name!r} in {package}; choose one of {', '.join(names)}")


def _hint(package: str) -> Any:
    names = ", ".join(names_in(package))
    return tyro.conf.arg(help_behavior_hint=lambda default: f"(one of {names}; default: {default})")


GuideName = Annotated[str, _hint(GUIDES)]
"""Name of a guide; `--help` lists them."""
ObjectiveName = Annotated[str, _hint(OBJECTIVES)]
"""Name of an objective; `--help` lists them."""


def programs() -> dict[str, str]:
    """Return what can be run, `python -m experiments.NAME`, with the first lines of the docstrings."""
    return {folder.name: _summary(folder / "__init__.py") for folder in _folders("__main__.py")}


def experiments() -> list[str]:
    """Return the names of all experiments: what can be run and has a file `experiment.py`."""
    return [folder.name for folder in _folders("__main__.py", "experiment.py")]


def _folders(*files: str) -> list[Path]:
    folders = [Path(path, name) for name in names_in(EXPERIMENTS) for path in _paths(EXPERIMENTS)]
    return [folder for folder in folders if all((folder / file).is_file() for file in files)]


def _summary(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def prog(name: str) -> str:
    """Return how the running program was called: `python -m experiments.NAME`, or `mmvae NAME`."""
    return sys.argv[0] if sys.argv[0].startswith("mmvae ") else f"python -m experiments.{name}"


def build_guide(name: str, modalities: Sequence[Modality], latent_dim: int, pairs: Sequence[str] = ()) -> Guide:
    """Return a guide.

    Args:
        name: file in `guides`.
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        pairs: its options, `name=value` each.

    Raises:
        ValueError: an unknown guide, or an option that it does not have.
    """
    from pyro_mmvae import guides

    chosen = options(pairs)
    try:
        return guides.load(name)(modalities, latent_dim, **chosen)
    except (TypeError, RuntimeError) as error:  # PyTorch's word for sizes that cannot be
        raise ValueError(f"--guide-options {chosen} do not fit the guide {name!r}: {error}") from error


def build_objective(
    name: str, inputs: Sequence[str], targets: Mapping[str, Weight], pairs: Sequence[str] = (), **given: Any
) -> Objective:
    """Return an objective.

    Args:
        name: file in `pyro_mmvae.objectives`.
        inputs: modalities that are looked at.
        targets: decoded modalities with their weights.
        pairs: its own options, `name=value` each.
        given: beta and number of particles.

    Raises:
        ValueError: an unknown objective, an option that it does not have, or one that does not fit the inputs.
    """
    from pyro_mmvae import objectives

    chosen = options(pairs)
    try:
        return objectives.load(name)(inputs, targets, **given, **chosen)
    except TypeError as error:
        raise ValueError(f"--objective-options {chosen} do not fit the objective {name!r}: {error}") from error
