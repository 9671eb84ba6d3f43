"""A run's configuration: a dataclass, filled from a YAML file and the command line, and written back."""

from __future__ import annotations

import argparse
import dataclasses
import reprlib
import textwrap
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

import tyro
import yaml
from tyro import MISSING_NONPROP

from pyro_mmvae.files import write_text

if TYPE_CHECKING:
    from pyro_mmvae.experiments.common.run_config import Preset, RunConfig

C = TypeVar("C")
R = TypeVar("R", bound="RunConfig")
MAX_YAML, MAX_DEPTH = 2**20, 20
"""Bytes of a file of options, and how deep lists in it may be nested."""
EXPERIMENT = "experiment"
"""Line of the file that names the experiment, a class variable of the dataclass."""


def parse_run(cls: type[R], argv: Sequence[str], prog: str) -> R:
    """Fill a run's configuration: defaults, then its preset, then `--config FILE`, then the command line.

    `--help` prints the values that a run with the other options would have.

    Raises:
        SystemExit: bad options, after a message; or `--help`.
        ValueError: options out of range, or that do not fit together.
    """
    given, rest = _file(cls, argv, prog)
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
    return dataclasses.replace(config, config=None, out=config.run)


def parse(cls: type[C], argv: Sequence[str], prog: str, description: str) -> C:
    """Fill a dataclass from `--config FILE` and, on top of it, the command line.

    Raises:
        SystemExit: bad options, after a message; or `--help`.
    """
    given, rest = _file(cls, argv, prog)
    default = cls(**given) if given else MISSING_NONPROP
    return tyro.cli(cls, args=rest, default=default, prog=prog, description=description)


def _file(cls: type, argv: Sequence[str], prog: str) -> tuple[dict[str, Any], list[str]]:
    """Return what `--config FILE` says, and the other words."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path, default=None)
    known, rest = first.parse_known_args(list(argv))
    try:
        return (said(cls, known.config) if known.config else {}), rest
    except (OSError, ValueError) as error:
        raise SystemExit(f"{prog}: error: {error}") from error


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
    content = mapping(path)
    if content.get("config") is not None:
        raise ValueError(f"{path}: `config` names a file of options; give it on the command line")
    experiment = getattr(cls, EXPERIMENT, None)
    if (named := content.pop(EXPERIMENT, experiment)) != experiment:
        raise ValueError(f"{path} is of the experiment {named!r}, not of {experiment!r}")
    names = {field.name for field in dataclasses.fields(cls)}
    if unknown := sorted(map(str, set(content) - names)):
        raise ValueError(f"{path}: unknown options {unknown}; there are {sorted(names)}")
    hints = typing.get_type_hints(cls)
    return {name: _converted(value, hints[name], f"{path}: {name}") for name, value in content.items()}


def mapping(path: Path) -> dict[str, Any]:
    """Return what a YAML file holds.

    Raises:
        ValueError: it is not YAML, or not a mapping.
    """
    if path.stat().st_size > MAX_YAML:
        raise ValueError(f"{path}: expected options in at most {MAX_YAML} bytes, got {path.stat().st_size}")
    try:
        content = yaml.load(path.read_text(), _PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not YAML that holds options: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{path}: expected options as `name: value` lines, got {reprlib.repr(content)}")
    return content


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without what can grow: aliases, which multiply, and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not admitted")
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


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
        found[name] = _number(_value(value))
    return found


def _value(text: str) -> Any:
    try:
        return yaml.load(text, _PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"expected a value, got {reprlib.repr(text)}: {' '.join(str(error).split())}") from error


def _converted(value: Any, hint: Any, where: str) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for choice in choices:
        fitted = _fitted(value, choice)
        if fitted is not _MISFIT:
            return fitted
    expected = " or ".join(getattr(c, "__name__", str(c)) for c in choices)
    raise ValueError(f"{where}: expected {expected}, got {reprlib.repr(value)}")


def _number(value: Any) -> Any:
    """Read 1e-3 as people mean it; YAML 1.1 takes it for a word, as it has no point."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


NO_BREAK = "\N{NO-BREAK SPACE}"
_MISFIT = object()


def _fitted(value: Any, choice: Any) -> Any:
    if choice is type(None):
        return None if value is None else _MISFIT
    if get_origin(choice) is typing.Literal:
        return value if isinstance(value, str | int) and value in get_args(choice) else _MISFIT
    if get_origin(choice) is tuple:
        parts = [_fitted(part, get_args(choice)[0]) for part in value] if isinstance(value, list) else [_MISFIT]
        return _MISFIT if _MISFIT in parts else tuple(parts)
    if choice is Path:
        return Path(value) if isinstance(value, str) else _MISFIT
    if choice is float and not isinstance(value, bool):
        number = _number(value)
        return float(number) if isinstance(number, int | float) else _MISFIT
    return value if type(value) is choice else _MISFIT
