"""From a structure of plain values to modules. What a structure says is not believed: it may come from anybody."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.likelihoods.base import Likelihood
from pyro_mmvae.modality import Modality
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.recorded import Noted, Recorded
from pyro_mmvae.storage.describe import CONTAINERS
from pyro_mmvae.storage.names import Names

_MARKS = ("module", "same", "tuple", "dict", "float", "dtype", "class", "partial", "modalities", "tensor", "batch")
_SLACK = 1 << 20
_MODULES = 100_000


def build(
    structure: Mapping[str, Any], names: Names, tensors: Mapping[str, Tensor], limit: int
) -> tuple[MultimodalVAE, Guide]:
    """Construct model and guide, with the initial weights of their constructors.

    Nothing is imported before every name of the structure has been checked. PyTorch's generators are left as they
    were.

    Args:
        structure: see `Description.structure`.
        names: says which classes there are.
        tensors: constructor arguments that are tensors.
        limit: number of values that parameters and buffers may have altogether; a structure that asks for many times
            more is refused before memory is taken.

    Raises:
        ValueError: a name that is not allowed, or a structure that is damaged or cannot be constructed.
    """
    parts = _Parts(structure)
    for name in parts.named:
        names.check(name)
    with torch.random.fork_rng(devices=[]):
        # Without storage first: constructors of this package and of torch.nn are fine with that. One of the user's own
        # may not be, and is trusted.
        with _bounded(limit), torch.device("meta"):
            try:
                _Builder(parts, names, tensors).pair()
            except ValueError:
                raise
            except NotImplementedError:
                pass  # an operator that needs storage, as in the masks of flows
            except Exception as error:
                if not names.allowed:
                    raise _unbuildable(error) from error
        with _bounded(limit):
            try:
                return _Builder(parts, names, tensors).pair()
            except ValueError:
                raise
            except Exception as error:
                raise _unbuildable(error) from error


def _unbuildable(error: Exception) -> ValueError:
    return ValueError(f"the structure cannot be constructed ({type(error).__name__}: {error})")


class _Parts:
    """The parts of a structure, whose outline is as expected, and all names in it."""

    def __init__(self, structure: Mapping[str, Any]) -> None:
        try:
            self.modalities, self.model, self.guide = (structure[key] for key in ("modalities", "model", "guide"))
            self.named: list[str] = []
            for entry in self.modalities.values():
                self._gather_modality(entry)
            for node in (self.model, self.guide):
                self._gather(node)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"damaged structure ({type(error).__name__}: {error})") from error

    def _gather_modality(self, entry: Mapping[str, Any]) -> None:
        if unknown := set(entry) - {"likelihood", "decoder", "encoder", "features"}:
            raise KeyError(*unknown)
        for value in entry.values():
            self._gather(value)

    def _gather(self, value: Any) -> None:
        if isinstance(value, list):
            for part in value:
                self._gather(part)
        elif isinstance(value, dict):
            mark = next((mark for mark in _MARKS if mark in value), None)
            if mark is None:
                raise KeyError(f"expected one of {_MARKS} in {sorted(value)[:8]}")
            if mark in ("module", "class", "partial"):
                if not isinstance(value[mark], str):
                    raise TypeError(f"expected a name, got {value[mark]!r}")
                self.named.append(value[mark])
            for entry in value["modalities"] if mark == "modalities" else []:
                if not isinstance(entry, str):
                    self._gather_modality({key: part for key, part in entry.items() if key != "name"})
            inner = [value["tuple"]] if mark == "tuple" else []
            inner += [value[mark].values()] if mark in ("dict", "batch") else []
            inner += [value.get("positional", []), *(value.get(key, {}).values() for key in ("arguments", "children"))]
            for part in inner:
                self._gather(list(part))


class _Builder:
    """Constructs the modules of a structure, each once."""

    def __init__(self, parts: _Parts, names: Names, tensors: Mapping[str, Tensor]) -> None:
        self.parts, self.names, self.tensors = parts, names, tensors
        self.made: dict[int, nn.Module] = {}
        self.modalities: dict[str, Modality] = {}

    def pair(self) -> tuple[MultimodalVAE, Guide]:
        """Return model and guide."""
        self.modalities = {name: self._modality(name, entry) for name, entry in self.parts.modalities.items()}
        model, guide = self.value(self.parts.model), self.value(self.parts.guide)
        if not isinstance(model, MultimodalVAE) or not isinstance(guide, Guide):
            found = type(model).__name__, type(guide).__name__
            raise ValueError(f"expected a MultimodalVAE and a Guide, the structure is of {found[0]} and {found[1]}")
        return model, guide

    def _modality(self, name: str, entry: Mapping[str, Any]) -> Modality:
        likelihood, decoder, encoder = (self.value(entry.get(key)) for key in ("likelihood", "decoder", "encoder"))
        if not isinstance(likelihood, Likelihood | None):
            raise TypeError(f"the likelihood of {name!r} is a {type(likelihood).__name__}")
        for part in (decoder, encoder):
            if not isinstance(part, nn.Module | None):
                raise TypeError(f"a network of {name!r} is a {type(part).__name__}")
        return Modality(name, likelihood, decoder, encoder, entry.get("features"))

    def _known_or_own(self, entry: Any) -> Modality:
        if isinstance(entry, str):
            return self.modalities[entry]
        return self._modality(entry["name"], {key: part for key, part in entry.items() if key != "name"})

    def value(self, value: Any) -> Any:
        """Return what a plain value stands for."""
        if isinstance(value, list):
            return [self.value(part) for part in value]
        if not isinstance(value, dict):
            return value
        mark = next(mark for mark in _MARKS if mark in value)
        content = value[mark]
        if mark == "module":
            return self._module(value)
        if mark == "partial":
            return functools.partial(self.names.find(content), *self._positional(value), **self._arguments(value))
        if mark == "dtype":
            if not isinstance(dtype := getattr(torch, content, None), torch.dtype):
                raise TypeError(f"expected the name of a dtype, got {content!r}")
            return dtype
        if mark == "float":
            return {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}[content]
        return {
            "same": lambda: self.made[content],
            "tuple": lambda: tuple(self.value(part) for part in content),
            "dict": lambda: {name: self.value(part) for name, part in content.items()},
            "class": lambda: self.names.find(content),
            "modalities": lambda: [self._known_or_own(entry) for entry in content],
            "batch": lambda: Batch(**{name: self.value(part) for name, part in content.items()}),
            "tensor": lambda: self.tensors[content].clone(),
        }[mark]()

    def _module(self, node: Mapping[str, Any]) -> nn.Module:
        kind = self.names.module_class(node["module"])
        if "children" in node:
            module = self._container(kind, {name: self.value(child) for name, child in node["children"].items()})
        else:
            module = _construct(kind, self._positional(node), self._arguments(node))
        if "number" in node:
            self.made[node["number"]] = module
        return module

    def _container(self, kind: type[nn.Module], children: dict[str, nn.Module]) -> nn.Module:
        if kind not in CONTAINERS:
            raise TypeError(f"{kind.__name__} is no container")
        module = kind()
        for name, child in children.items():
            module.add_module(name, child)
        return module

    def _positional(self, node: Mapping[str, Any]) -> list[Any]:
        return [self.value(part) for part in node.get("positional", [])]

    def _arguments(self, node: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.value(part) for name, part in node.get("arguments", {}).items()}


def _construct(kind: type[nn.Module], positional: list[Any], arguments: dict[str, Any]) -> nn.Module:
    if issubclass(kind, Recorded):  # what is never written may not be read: it would download weights
        given = inspect.signature(kind).bind(*positional, **arguments).arguments
        for name, value in kind._instead.items():
            if not isinstance(value, Noted) and given.get(name, value) != value:
                raise ValueError(f"{kind.__name__}: expected {name}={value!r}, found {given[name]!r}")
    return kind(*positional, **arguments)


@contextmanager
def _bounded(limit: int) -> Iterator[None]:
    """Refuse to construct much more than the file of weights has values for."""
    room = 4 * limit + _SLACK
    taken = modules = 0
    own = threading.get_ident()  # the hooks are those of the whole process

    def tensor(_module: nn.Module, name: str, value: Tensor | None) -> None:
        nonlocal taken
        if threading.get_ident() != own:
            return
        # An uninitialised (lazy) parameter has no size yet.
        taken += value.numel() if value is not None and not nn.parameter.is_lazy(value) else 0
        if taken > room:
            raise ValueError(f"the structure asks for more than the {limit} values that the file of weights holds")

    def child(_module: nn.Module, name: str, value: nn.Module | None) -> None:
        nonlocal modules
        modules += threading.get_ident() == own
        if modules > _MODULES:
            raise ValueError(f"the structure asks for more than {_MODULES} modules")

    handles = [
        registration.register_module_parameter_registration_hook(tensor),
        registration.register_module_buffer_registration_hook(tensor),
        registration.register_module_module_registration_hook(child),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
