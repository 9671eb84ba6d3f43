"""A run's configuration: a dataclass, filled from a YAML file and the command line, and written back."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import tyro
import yaml

from pyro_mmvae.experiments.common.files import write_text

C = TypeVar("C")
EXPERIMENT = "experiment"
"""Line of the file that names the experiment, a class variable of the dataclass."""


def parse(cls: type[C], argv: Sequence[str], prog: str, description: str) -> C:
    """Fill a dataclass from `--config FILE` and, on top of it, the command line.

    Raises:
        SystemExit: bad options, after a message; or `--help`.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path, default=None)
    known, rest = first.parse_known_args(list(argv))
    if not known.config:
        return tyro.cli(cls, args=rest, prog=prog, description=description)
    try:
        default = read(cls, known.config)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{prog}: error: {error}") from error
    return tyro.cli(cls, args=rest, default=default, prog=prog, description=description)


def read(cls: type[C], path: Path) -> C:
    """Read a dataclass from a YAML file.

    Raises:
        ValueError: the file is not a mapping, names an unknown option, or gives one a value of the wrong type.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected options as `name: value` lines, got {type(content).__name__}")
    experiment = getattr(cls, EXPERIMENT, None)
    if (said := content.pop(EXPERIMENT, experiment)) != experiment:
        raise ValueError(f"{path} is of the experiment {said!r}, not of {experiment!r}")
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(content) - names):
        raise ValueError(f"{path}: unknown options {unknown}; there are {sorted(names)}")
    hints = typing.get_type_hints(cls)
    return cls(**{name: _converted(value, hints[name], f"{path}: {name}") for name, value in content.items()})


def write(config: Any, path: Path) -> None:
    """Write a dataclass as YAML that `read` takes back, with the experiment's name if the class has one."""
    name = getattr(config, EXPERIMENT, None)
    content = {**({EXPERIMENT: name} if name else {}), **plain(config)}
    write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), path)


def plain(config: Any) -> dict[str, Any]:
    """Return a dataclass as a mapping of plain values, for YAML and JSON."""
    return {k: _plain(v) for k, v in dataclasses.asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse `name=value` options; the value is read as YAML, so that 3, true and 1e-3 mean what they look like.

    Raises:
        ValueError: a pair without `=`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ValueError(f"expected name=value, got {pair!r}")
        found[name] = _number(yaml.safe_load(value))
    return found


def _converted(value: Any, hint: Any, where: str) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for choice in choices:
        fitted = _fitted(value, choice)
        if fitted is not _MISFIT:
            return fitted
    expected = " or ".join(getattr(c, "__name__", str(c)) for c in choices)
    raise ValueError(f"{where}: expected {expected}, got {value!r}")


def _number(value: Any) -> Any:
    """Read 1e-3 as people mean it; YAML 1.1 takes it for a word, as it has no point."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


_MISFIT = object()


def _fitted(value: Any, choice: Any) -> Any:
    if choice is type(None):
        return None if value is None else _MISFIT
    if get_origin(choice) is typing.Literal:
        return value if value in get_args(choice) else _MISFIT
    if get_origin(choice) in (list, tuple):
        return get_origin(choice)(value) if isinstance(value, list) else _MISFIT
    if choice is Path:
        return Path(value) if isinstance(value, str) else _MISFIT
    if choice is float and not isinstance(value, bool):
        number = _number(value)
        return float(number) if isinstance(number, int | float) else _MISFIT
    return value if type(value) is choice else _MISFIT
