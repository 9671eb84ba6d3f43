"""What is asked of arguments: names of modalities, counts and weights. Every door of the library asks here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real

from torch import nn

_SITES = {
    "z": "the latent variable",
    "inner": "what a guide draws on the way to the latent variable",
    "data": "the plate of samples",
    "term": "the plate of an objective's rows",
    "stratum": "the plate of a mixture's components",
    "particle": "the plate of draws",
    "_INPUT": "Pyro's traces",
    "_RETURN": "Pyro's traces",
}
"""Names that model, guide and objective have in Pyro, and whose they are."""

_ATTRIBUTES = frozenset(dir(nn.ModuleDict()))


def check_name(name: object, what: str = "a modality's name") -> str:
    """Return the name of a modality, if it is one that Pyro and PyTorch can hold.

    It is the name of a Pyro site and of a member of `torch.nn.ModuleDict`.

    Args:
        name: what is to be looked at.
        what: what it is, for the message.

    Raises:
        ValueError: it is no string, empty, has a dot, or belongs to Pyro or PyTorch already.
    """
    if not isinstance(name, str):
        raise ValueError(f"{what}: expected a string, got {name!r} of type {type(name).__name__}")
    if not name or "." in name:
        raise ValueError(f"{what}: expected a string without dots that is not empty, got {name!r}")
    if name in _SITES:
        raise ValueError(f"{what}: {name!r} is taken by {_SITES[name]}; choose another, such as {name + '_'!r}")
    if name in _ATTRIBUTES:
        raise ValueError(f"{what}: {name!r} is an attribute of torch.nn.ModuleDict; choose another, as {name + '_'!r}")
    return name


def names_of(names: Iterable[str], what: str, known: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return names of modalities as a tuple: each of them once, and none that is unknown.

    Args:
        names: one or more strings in a list, a tuple or the like. A string is not taken for its letters.
        what: the argument they came by, for the message.
        known: names to choose from; any that a modality may have when left out.

    Raises:
        ValueError: a string in place of names, what is no name, a name twice, or one that is not known.
    """
    choice = None if known is None else tuple(known)
    hint = "" if choice is None else f"; the known names are {list(choice)}"
    if isinstance(names, str):
        raise ValueError(f"{what}: expected a list of names, got the string {names!r}; write [{names!r}]{hint}")
    if not isinstance(names, Iterable):
        raise ValueError(f"{what}: expected a list of names, got {names!r} of type {type(names).__name__}{hint}")
    found = tuple(names)
    if choice is not None and (unknown := [name for name in found if name not in choice]):
        raise ValueError(f"{what}: unknown names {unknown}{hint}")
    for name in found:
        check_name(name, what)
    if twice := [name for name in dict.fromkeys(found) if found.count(name) > 1]:
        raise ValueError(f"{what}: expected each name once, got {twice} more than once in {list(found)}{hint}")
    return found


def check_count(value: object, what: str, at_least: int = 1) -> int:
    """Return a whole number as a Python one.

    Raises:
        ValueError: it is none, or less than `at_least`.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{what}: expected a whole number, got {value!r} of type {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{what}: expected at least {at_least}, got {value}")
    return int(value)


def check_number(value: object, what: str) -> float:
    """Return a weight: a finite number that is not negative.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, Real):
        raise ValueError(f"{what}: expected a number, got {value!r} of type {type(value).__name__}")
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{what}: expected a finite number that is not negative, got {value}")
    return number


def check_mapping(values: object, what: str) -> None:
    """Refuse what is no mapping by names of modalities.

    Raises:
        ValueError: it is none, or has a key that is no name.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{what}: expected a mapping by names of modalities, got {type(values).__name__}")
    for name in values:
        check_name(name, what)
