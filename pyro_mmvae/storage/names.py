"""Which classes and functions a structure may name, decided before anything is imported."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

Allowed = Iterable[str | type] | Mapping[str, Any]
"""Classes of other packages, as names or as classes; or a mapping from names in the file to classes."""

_PACKAGE = __name__.split(".")[0]
_OWN = re.compile(rf"{_PACKAGE}(\.[a-z][a-z0-9_]*)+:[A-Za-z][A-Za-z0-9]*")
_WINGS = ("experiments", "hands", "plots")
_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.<>]*")

_FUNCTIONS: dict[str, Any] = {
    f"torch.nn.functional:{name}": getattr(nn.functional, name)
    for name in ("relu", "gelu", "silu", "elu", "selu", "celu", "mish", "softplus", "leaky_relu", "hardswish", "relu6")
} | {f"torch:{name}": getattr(torch, name) for name in ("relu", "tanh", "sigmoid")}
_OWN_FUNCTIONS = frozenset({f"{_PACKAGE}.networks.norms:group_norm"})


def name_of(value: Any) -> str:
    """Return the name by which a file knows a class or function: `module:name`."""
    own: str = value.__name__
    for known, function in _FUNCTIONS.items():
        if value is function:
            return known
    if vars(nn).get(own) is value:
        return f"torch.nn:{own}"
    return f"{value.__module__}:{value.__qualname__}"


class Names:
    """Turns names into classes; those of this package and `torch.nn` by itself, others if the user named them.

    Args:
        allow: see `Allowed`.

    Raises:
        TypeError: `allow` is a single string, or holds something else than classes and strings.
        ValueError: a string that is not of the form `package.module:Class`.
    """

    def __init__(self, allow: Allowed = ()) -> None:
        if isinstance(allow, str):
            raise TypeError(f"allow: expected a list of names or classes, got the string {allow!r}; try [{allow!r}]")
        pairs = allow.items() if isinstance(allow, Mapping) else [(_key(entry), entry) for entry in allow]
        self.allowed: dict[str, Any] = dict(pairs)

    def check(self, name: str) -> None:
        """Refuse a name that nobody allowed; imports nothing.

        Raises:
            ValueError: the name.
        """
        if name in self.allowed or name in _FUNCTIONS or name in _OWN_FUNCTIONS:
            return
        module, _, attribute = name.partition(":")
        if module == "torch.nn" and isinstance(found := vars(nn).get(attribute), type) and issubclass(found, nn.Module):
            return
        if _OWN.fullmatch(name) and module.split(".")[1] not in _WINGS:
            return
        raise ValueError(
            f"the structure names {name!r}, which is not of {_PACKAGE} or torch.nn and was not imported. If you trust "
            f"it, name it again: load(..., allow=[{name!r}]), or pass the class itself"
        )

    def module_class(self, name: str) -> type[nn.Module]:
        """Return a class of modules.

        Raises:
            ValueError: there is none of that name, or it is no subclass of `nn.Module`.
        """
        found = self.find(name)
        if not (isinstance(found, type) and issubclass(found, nn.Module)):
            raise ValueError(f"{name!r} is no subclass of torch.nn.Module; nothing else is called")
        return found

    def find(self, name: str) -> Any:
        """Return a class, or one of a few functions that an argument may be.

        Raises:
            ValueError: it was not allowed, or is not there.
        """
        self.check(name)
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if not isinstance(entry := self.allowed.get(name, name), str):
            return entry
        module, _, attribute = entry.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"the structure names {name!r}, which cannot be imported: {error}") from error
        # A module's imports are not its members: `pyro_mmvae.model:pyro` names nothing of ours.
        if name not in self.allowed and name not in _OWN_FUNCTIONS and not _belongs(found, module):
            raise ValueError(f"the structure names {name!r}, which is no class of modules")
        return found


def _belongs(found: Any, module: str) -> bool:
    own = isinstance(found, type) and issubclass(found, nn.Module)
    return own and (module == "torch.nn" or found.__module__ == module)


def _key(entry: str | type) -> str:
    if isinstance(entry, str):
        if not _NAME.fullmatch(entry):
            raise ValueError(f"allow: expected 'package.module:Class', got {entry!r}")
        return entry
    if not hasattr(entry, "__qualname__"):
        raise TypeError(f"allow: expected classes or names such as 'package.module:Class', got {entry!r}")
    return name_of(entry)
