"""Parameters of model and guide in Pyro's global store, in which is all that `pyro.infer.SVI` trains."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import pyro
import torch
from pyro.params import param_with_module_name
from pyro.poutine.enum_messenger import EnumMessenger
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import _PYRO_STACK
from pyro.poutine.trace_messenger import TraceMessenger
from torch import nn

from pyro_mmvae.errors import IncompatibleError


class Program(nn.Module):
    """A module that is a Pyro program: when `SVI` runs it, its parameters are in Pyro's store.

    Stock bounds of Pyro train nothing else. Run by anything else of Pyro (`Predictive`, `NUTS`), it is refused if the
    store holds other values of its parameters, as after `pyro.get_param_store().load(...)`: they would not be used.
    Without Pyro's handlers around it, the store is not looked at.
    """

    store_name: ClassVar[str]
    """What names in the store begin with."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Raises:
            RuntimeError: Pyro runs it, and its store holds other values of the parameters.
            IncompatibleError: it is given dreamt observations, as by the sleep phase of `ReweightedWakeSleep`.
        """
        if "observations" in kwargs:
            raise IncompatibleError(
                "the sleep phase of pyro.infer.ReweightedWakeSleep trains the guide on observations that the model "
                "dreams, which a Batch does not take; use ReweightedWakeSleep(insomnia=1.0)"
            )
        if _PYRO_STACK and not any(isinstance(handler, StoreLeftAlone) for handler in _PYRO_STACK):
            if any(isinstance(handler, TraceMessenger) and handler.param_only for handler in _PYRO_STACK):
                register(self)
            elif any(isinstance(handler, TraceMessenger) for handler in _PYRO_STACK):
                refuse_others(self)
        return super().__call__(*args, **kwargs)


def enumerates() -> bool:
    """Whether a bound of Pyro's that enumerates runs the program."""
    return any(isinstance(handler, EnumMessenger) for handler in _PYRO_STACK)


class StoreLeftAlone(Messenger):
    """Around programs that are run by somebody who sees to their parameters himself."""


def register(program: Program) -> None:
    """Put a program's parameters into Pyro's store; those that are frozen stay out of it.

    Raises:
        RuntimeError: the store holds other values of them.
        ValueError: a parameter's memory is not contiguous, of which the store would train a copy.
    """
    refuse_others(program)
    for key, full, parameter in _named(program):
        if not parameter.requires_grad:
            continue
        _refuse_strided(program, key, parameter)
        pyro.param(full, parameter)


def refuse_others(program: Program) -> None:
    """Refuse a program whose parameters are in Pyro's store with other values than its own.

    Raises:
        RuntimeError: so it is.
    """
    store = pyro.get_param_store()
    for _, full, parameter in _named(program) if len(store) else ():
        if full in store and store[full] is not parameter:
            raise RuntimeError(
                f"Pyro's parameter store already holds {full!r} of another module or of a file; call "
                f"pyro.clear_param_store() to go on with this module's own weights, or "
                f"pyro_mmvae.take_from_store(model, guide) to give it those of the store"
            )


def take_from_store(*programs: Program) -> None:
    """Give programs the weights that Pyro's store holds, and make them the store's own.

    It is for `pyro.get_param_store().load(path)`, after which a model and guide that were made anew are used or trained
    further with the weights of the file:

        pyro.get_param_store().load("weights.pyro")
        take_from_store(model, guide)

    Weights that several places share stay shared, unlike by `pyro.module(..., update_module_params=True)`. Pyro's store
    has no buffers, such as running averages of batch normalisation: `pyro_mmvae.save` keeps them. Pyro's `load`
    unpickles, which runs code of the file.

    Args:
        programs: model and guide, or one of them.

    Raises:
        ValueError: the store lacks a parameter that is trained, or holds one of another shape or one that the program
            has not, or a parameter's memory is not contiguous. Nothing has been changed then.
    """
    found = [(name, parameter) for program in programs for name, parameter in _matched(program)]
    store = pyro.get_param_store()
    with torch.no_grad():
        for name, parameter in found:
            parameter.copy_(store[name])
            store[name] = parameter
    for program in programs:
        if averages := sorted(set(program.state_dict()) - {key for key, _, _ in _named(program, twice=True)}):
            warnings.warn(
                f"Pyro's parameter store has no buffers: {averages[:3]} of the {program.store_name} stay as they are; "
                f"pyro_mmvae.save and load keep them",
                stacklevel=2,
            )


def _matched(program: Program) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that the store holds, by their names in it."""
    store, own = pyro.get_param_store(), {}
    for key, full, parameter in _named(program):
        _refuse_strided(program, key, parameter)
        own[full] = parameter
    stored = [name for name in store if name.startswith(param_with_module_name(program.store_name, ""))]
    lacking = [name for name, parameter in own.items() if name not in store and parameter.requires_grad]
    unknown = [name for name in stored if name not in own]
    shapes = {n: (tuple(own[n].shape), tuple(store[n].shape)) for n in stored if n in own}
    if other := {name: pair for name, pair in shapes.items() if pair[0] != pair[1]}:
        name, (expected, got) = next(iter(other.items()))
        raise ValueError(f"{name!r}: expected shape {expected}, Pyro's store holds {got}; build the pair as it was")
    if lacking or unknown:
        raise ValueError(
            f"expected the {program.store_name}'s parameters in Pyro's store; it lacks {lacking[:3]} and holds "
            f"{unknown[:3]}, which the {program.store_name} has not; build the pair as it was when it was trained"
        )
    return [(name, own[name]) for name in stored]


def _refuse_strided(program: Program, key: str, parameter: nn.Parameter) -> None:
    if not parameter.is_contiguous():
        raise ValueError(
            f"{key} of the {program.store_name} is not contiguous in memory, and Pyro's store would train a copy "
            f"of it; call `parameter.data = parameter.data.contiguous()`, or train with torch.optim or Lightning"
        )


def _named(program: Program, twice: bool = False) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Yield every parameter with its name in the program and in the store."""
    for key, parameter in program.named_parameters(remove_duplicate=not twice):
        yield key, param_with_module_name(program.store_name, key), parameter
