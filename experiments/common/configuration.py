"""A run's configuration: a dataclass, filled from a YAML file and the command line, and written back."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import tyro
import yaml
from tyro import MISSING_NONPROP

from pyro_mmvae.experiments.common.ranges import typed
from pyro_mmvae.files import write_text
from pyro_mmvae.named_options import options as options
from pyro_mmvae.own_code import refuse_unnamed
from pyro_mmvae.plain_yaml import read_mapping

if TYPE_CHECKING:
    from pyro_mmvae.experiments.common.run_config import Preset, RunConfig

C = TypeVar("C")
R = TypeVar("R", bound="RunConfig")
NO_BREAK = "\N{NO-BREAK SPACE}"
CONFIG = "config.yaml"
"""Of a run, in its folder."""
EXPERIMENT = "experiment"
"""Line of the file that names the experiment, a class variable of the dataclass."""


def parse_run(cls: type[R], argv: Sequence[str], prog: str) -> R:
    """Fill a run's configuration: defaults, then its preset, then `--config FILE`, then the command line.

    Between preset and file come the options of the run that `--mapper-on RUN` names.

    `--help` prints the values that a run with the other options would have.

    Raises:
        SystemExit: bad options, after a message; or `--help`.
        FileNotFoundError: there is no such file.
        ValueError: options out of range, or that do not fit together; the file is damaged.
    """
    given, rest = _file(cls, argv)
    below, rest = _below(cls, rest)
    given = {**below, **given}
    words = [word for word in rest if word not in ("-h", "--help")]

    def filled(default: dict[str, Any], words: Sequence[str]) -> R:
        return tyro.cli(cls, args=words, default=cls(**default), prog=prog, description=cls.about)

    first = filled(given, words)
    base = {**(first.preset.options if first.preset else {}), **given}
    config = filled(base, words)
    # In turn: one implied option may decide about the next.
    while missing := {n: v for n, v in config.implied().items() if getattr(config, n) is None and v is not None}:
        config = dataclasses.replace(config, **missing)
    if len(words) < len(rest):
        tyro.cli(cls, args=["--help"], default=config, prog=prog, description=cls.about)
    config.check()
    named = [name for word in words for name in (word, word.partition("=")[2])]
    said_so = [name for name in config.code if name in given.values()]
    refuse_unnamed(
        said_so,
        named,
        "the run of --mapper-on" if config.mapper_on else "the file of --config",
        "on the command line, {}",
    )
    return dataclasses.replace(config, config=None, out=config.run)


def parse(cls: type[C], argv: Sequence[str], prog: str, description: str) -> C:
    """Fill a dataclass from `--config FILE` and, on top of it, the command line.

    Raises:
        SystemExit: bad options, after a message; or `--help`.
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
    """
    given, rest = _file(cls, argv)
    default = cls(**given) if given else MISSING_NONPROP
    return tyro.cli(cls, args=rest, default=default, prog=prog, description=description)


def _below(cls: type[R], argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of the run that `--mapper-on RUN` names, with that name, and the other words."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--mapper-on", type=Path, default=None)
    known, rest = first.parse_known_args(list(argv))
    if (run := known.mapper_on) is None:
        return {}, rest
    if not (path := run / CONFIG).is_file():
        raise FileNotFoundError(f"--mapper-on: no run in {run}: expected a file {CONFIG} there")
    found = vars(read(cls, path).reopened())
    if found["mapper_on"] is not None:
        raise ValueError(f"--mapper-on: expected a run without a mapper, got {run}")
    return {**found, "mapper_on": run, "out": None, "resume": False}, rest


def _file(cls: type, argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what `--config FILE` says, and the other words."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path, default=None)
    known, rest = first.parse_known_args(list(argv))
    return (said(cls, known.config) if known.config else {}), rest


def read(cls: type[C], path: Path) -> C:
    """Read a dataclass from a YAML file; what it does not say has its default.

    Raises:
        ValueError: see `said`.
    """
    return cls(**said(cls, path))


def said(cls: type, path: Path) -> dict[str, Any]:
    """Return the options that a YAML file gives, as values of the dataclass's fields.

    Raises:
        ValueError: the file is not a mapping, names an unknown option, or gives one a value of the wrong type.
    """
    content = read_mapping(path)
    if content.get("config") is not None:
        raise ValueError(f"{path}: `config` names a file of options; give it on the command line")
    experiment = getattr(cls, EXPERIMENT, None)
    if (named := content.pop(EXPERIMENT, experiment)) != experiment:
        raise ValueError(f"{path} is of the experiment {named!r}, not of {experiment!r}")
    names = {field.name for field in dataclasses.fields(cls)}
    if unknown := sorted(map(str, set(content) - names)):
        raise ValueError(f"{path}: unknown options {unknown}; there are {sorted(names)}")
    hints = typing.get_type_hints(cls)
    return {name: typed(value, hints[name], f"{path}: {name}") for name, value in content.items()}


def write(config: Any, path: Path) -> None:
    """Write a dataclass as YAML that `read` takes back, with the experiment's name if the class has one."""
    name = getattr(config, EXPERIMENT, None)
    content = {**({EXPERIMENT: name} if name else {}), **plain(config)}
    write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), path)


def plain(config: Any) -> dict[str, Any]:
    """Return a dataclass as a mapping of plain values, for YAML and JSON."""
    found: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    return found


def listed(config: Any, preset: Preset | None, width: int = 110) -> str:
    """Return options as text; with a preset, those that it sets are marked as the paper's, ours, or the user's own."""
    marks = {n: "" for n in plain(config)}
    if preset is not None:
        marks |= dict.fromkeys(preset.chosen, " (ours)") | dict.fromkeys(preset.printed, " (paper)")
        changed = [n for n, value in preset.options.items() if getattr(config, n) != value]
        marks |= dict.fromkeys(changed, " (yours)")
    # No-break spaces keep an option and its mark on one line.
    shown = [f"{n}={v}{marks[n]}".replace(" ", NO_BREAK) for n, v in plain(config).items() if v is not None]
    lines = textwrap.fill("  ".join(shown), width, break_long_words=False, break_on_hyphens=False)
    return lines.replace(NO_BREAK, " ")
