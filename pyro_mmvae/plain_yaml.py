"""YAML from files that nobody vouches for: plain values, bounded before anything is expanded."""

from __future__ import annotations

import re
import reprlib
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES, MAX_DEPTH = 2**20, 20
"""Size of a file, and how deep lists and mappings in it may be nested."""


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


# 1e-3 as people mean it: YAML 1.1 takes it for a word, as it has no point.
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+"), list("-+0123456789"))


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping from strings that a YAML file holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, not a mapping, or larger than any file of options.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: expected options in at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    try:
        content = _load(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not YAML that holds options: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{path}: expected options as `name: value` lines, got {reprlib.repr(content)}")
    return content


def read_value(text: str) -> Any:
    """Return what a word means: 3, true, 1e-3 and [1, 2] are what they look like.

    Raises:
        ValueError: it is not YAML.
    """
    try:
        return _load(text)
    except ValueError as error:
        raise ValueError(f"expected a value, got {reprlib.repr(text)}: {error}") from error


def _load(text: str) -> Any:
    try:
        return yaml.load(text, _PlainLoader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except Exception as error:  # what its constructors stumble over, in `!!int ""` say
        raise ValueError(f"a value makes no sense ({type(error).__name__}: {' '.join(str(error).split())})") from error
