"""Dataclasses held to the types of their fields, ranges included, with messages for people."""

from __future__ import annotations

import dataclasses
import math
import re
import reprlib
import typing
from pathlib import Path
from typing import Any

import msgspec

_WORDS = {
    "`": "",
    "Expected": "expected",
    "array": "list",
    " | null": " or None",
    " >= ": " of at least ",
    " > ": " above ",
    " <= ": " of at most ",
    " < ": " below ",
}
"""How people read what msgspec writes."""
_REST = re.compile(r"\.0\b|, got .*?(?= - at|$)")


def check(config: Any) -> None:
    """Refuse options of another type than a dataclass gives them, out of its range, NaN or infinite.

    Raises:
        ValueError: names the first such option, what is expected and what it is.
    """
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, float) and not math.isfinite(part):
                raise ValueError(f"{option(field.name)}: expected a finite number, got {part}")
        typed(value, hints[field.name], option(field.name))


def typed(value: Any, hint: Any, where: str) -> Any:
    """Return a plain value, from YAML say, as one of a type.

    Raises:
        ValueError: it does not fit; the message begins with `where`.
    """
    try:
        return msgspec.convert(value, hint, dec_hook=_path)
    except (msgspec.ValidationError, UnicodeError) as error:  # the latter of half a character
        words = str(error)
        for old, new in _WORDS.items():
            words = words.replace(old, new)
        raise ValueError(f"{where}: {_REST.sub('', words)}, got {reprlib.repr(value)}") from error


def option(name: str) -> str:
    """Return a field's name as it is on the command line."""
    return f"--{name.replace('_', '-')}"


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise msgspec.ValidationError("Expected path")
