"""Options given as `name=value`, and what is built with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pyro_mmvae.own_code import is_own
from pyro_mmvae.plain_yaml import read_value


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
        found[name] = read_value(value)
    return found


def built(kind: str, name: str, build: Callable[..., Any], *arguments: Any, pairs: Sequence[str], **given: Any) -> Any:
    """Return a guide or an objective.

    Args:
        kind: guide or objective, for messages.
        name: as the user gave it.
        build: what makes it.
        arguments: that it always has.
        pairs: its options from the command line, `name=value` each.
        given: further arguments.

    Raises:
        ValueError: an option that it does not have, or one that does not fit. Other errors of one's own code stay.
    """
    chosen = options(pairs)
    misfit = f"--{kind}-options {chosen} do not fit the {kind} {name!r}"
    try:
        inspect.signature(build).bind(*arguments, **given, **chosen)
    except TypeError as error:
        raise ValueError(f"{misfit}: {error}") from error
    try:
        return build(*arguments, **given, **chosen)
    except (TypeError, RuntimeError) as error:  # PyTorch's word for sizes that cannot be
        if is_own(name):
            raise
        raise ValueError(f"{misfit}: {error}") from error
