"""Constructor arguments, noted when a module is made: what `pyro_mmvae.save` describes it by."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from pyro_mmvae.batch import Batch


class Noted(Enum):
    """What stands in a record for a value that is made anew from the module itself."""

    MODALITIES = "modalities"


class Unsaved:
    """Stands in a record for a value that cannot be written into a file, such as a lambda.

    Args:
        value: it is not kept, so that a module with a record can be copied and pickled as before.
    """

    def __init__(self, value: Any) -> None:
        self.what = getattr(value, "__qualname__", None) or f"a {type(value).__name__}"


class Arguments:
    """With what a module was made: `type(module)(*positional, **keywords)`."""

    def __init__(self, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.positional = positional
        self.keywords = keywords


class Recorded:
    """Makes a class of modules remember its constructor arguments, so that `pyro_mmvae.save` can write them.

    Guides, likelihoods, the model and the networks of this package derive from it. Derive from it beside `nn.Module`
    where the constructor's arguments cannot be read off attributes of the same names:
    `class Encoder(Recorded, nn.Module)`.

    Args:
        instead: as in `class Encoder(Recorded, nn.Module, instead={"pretrained": False})`: arguments that are noted
            with another value than was given, because weights come from the file.
    """

    _instead: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, instead: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if instead is not None:
            cls._instead = dict(instead)
        if not hasattr(cls.__init__, "notes_arguments"):
            cls.__init__ = _noting(cls.__init__)  # type: ignore[method-assign]


def arguments_of(module: nn.Module) -> Arguments | None:
    """Return with what a module was made; None if nobody noted it."""
    return module.__dict__.get("_arguments")


def _noting(constructor: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        # The outermost constructor is the one that will be called again. A subclass that does not note its own
        # arguments, though its parents do, has none.
        if getattr(type(self).__init__, "__func__", type(self).__init__) is noting:
            self.__dict__["_arguments"] = _arguments(signature, self, args, kwargs)
        constructor(self, *args, **kwargs)

    noting.notes_arguments = True  # type: ignore[attr-defined]
    return noting


def _arguments(
    signature: inspect.Signature, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Arguments | None:
    try:
        bound = signature.bind(module, *args, **kwargs)
    except TypeError:
        return None  # the constructor itself says what is wrong
    for name in module._instead:
        if name in signature.parameters and name in bound.arguments:
            bound.arguments[name] = module._instead[name]
    kinds = {parameter.kind for parameter in list(signature.parameters.values())[1:]}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
        return Arguments(tuple(noted(v) for v in bound.args[1:]), {n: noted(v) for n, v in bound.kwargs.items()})
    variable = [n for n, p in signature.parameters.items() if p.kind is inspect.Parameter.VAR_KEYWORD]
    given = dict(list(bound.arguments.items())[1:])
    for name in variable:
        given |= given.pop(name, {})
    return Arguments((), {name: noted(value) for name, value in given.items()})


def noted(value: Any) -> Any:
    """Return what a record keeps of a value: itself, with containers copied, or an `Unsaved`."""
    if isinstance(value, Noted | Batch | nn.Module) or is_plain(value):
        return value
    if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
        return value.detach()
    if type(value) is list:
        return [noted(v) for v in value]
    if type(value) in (tuple, torch.Size, range):
        return tuple(noted(v) for v in value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: noted(v) for key, v in value.items()}
    if isinstance(value, functools.partial) and not isinstance(noted(value.func), Unsaved):
        return functools.partial(
            value.func, *map(noted, value.args), **{n: noted(v) for n, v in value.keywords.items()}
        )
    if isinstance(value, type) or (callable(value) and "<" not in getattr(value, "__qualname__", "<")):
        return value
    return Unsaved(value)


def is_plain(value: Any) -> bool:
    """Whether a value is one that JSON knows, or a dtype."""
    return value is None or type(value) in (bool, int, float, str) or isinstance(value, torch.dtype)
