"""The names that a pickle may call, and what stands for them: nothing that it names is imported."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pyro_mmvae.data.unpickling.arrays import (
    PickledArray,
    PickledDtype,
    make_array_from_buffer,
    make_scalar,
)
from pyro_mmvae.data.unpickling.budget import Budget, RefusedError, shown
from pyro_mmvae.data.unpickling.containers import SET_COST, fill_dict, fill_set

Call = Callable[[tuple[Any, ...], Budget], Any]


class PickledName:
    """Stands for a function or type that a pickle names; it can be called by the machine, and not changed.

    Args:
        name: module and name.
        call: takes the arguments and the budget; None if it may only be named.
    """

    __slots__ = ("_call", "_name")

    def __init__(self, name: str, call: Call | None) -> None:
        self._name, self._call = name, call

    def call(self, arguments: Any, budget: Budget) -> Any:
        """Return what the call that a pickle asks for gives.

        Raises:
            RefusedError: it may not be called, or not so.
        """
        if self._call is None or type(arguments) is not tuple:
            raise self._refusal()
        try:
            return self._call(arguments, budget)
        except (TypeError, OverflowError):
            raise self._refusal() from None

    def _refusal(self) -> RefusedError:
        return RefusedError(
            f"refused to call {self._name} with these arguments: expected what plain arrays and containers are made "
            f"by; write the file again, with plain arrays"
        )


def find_name(module: Any, name: Any) -> PickledName:
    """Return what stands for a name.

    Raises:
        RefusedError: the name is not admitted.
    """
    if type(module) is not str or type(name) is not str:
        raise RefusedError("refused to load a name that is not text; the file is damaged or not to be trusted")
    try:
        return _ADMITTED[module, name]
    except KeyError:
        raise RefusedError(
            f"refused to load {shown(module)}.{shown(name)}: only numpy arrays and plain containers are admitted; "
            f"nothing of it was run. If you trust the file, convert it to plain arrays first"
        ) from None


_NDARRAY = PickledName("numpy.ndarray", None)


def _reconstruct(arguments: tuple[Any, ...], budget: Budget) -> PickledArray:
    kind, _shape, _letter = arguments if len(arguments) == 3 else (None, None, None)
    if kind is not _NDARRAY:  # shape and dtype come with the state
        raise TypeError
    return PickledArray()


def _encode(arguments: tuple[Any, ...], budget: Budget) -> bytes:
    """Give back bytes, which protocols up to 2 write as text."""
    text, encoding = arguments if len(arguments) == 2 else (None, None)
    if type(text) is not str or type(encoding) is not str or encoding not in ("latin1", "latin-1"):
        got = shown(encoding) if type(encoding) is str else "something else"
        raise RefusedError(f"expected bytes written as latin1 text, got {got}; write the file again with protocol 4")
    budget.spend(len(text))
    return text.encode("latin1")


def _bytes(arguments: tuple[Any, ...], budget: Budget) -> bytes:
    if arguments and (type(arguments[0]) is not bytes or len(arguments) > 1):
        raise TypeError  # bytes(10**12) is an allocation
    return bytes(*arguments)


def _bytearray(arguments: tuple[Any, ...], budget: Budget) -> bytearray:
    if len(arguments) == 2:
        arguments = (_encode(arguments, budget),)
    content = _bytes(arguments, budget)
    budget.spend(len(content))
    return bytearray(content)


def _complex(arguments: tuple[Any, ...], budget: Budget) -> complex:
    if len(arguments) > 2 or not all(type(part) in (int, float) for part in arguments):
        raise TypeError  # complex("...") parses
    return complex(*arguments)


def _set(arguments: tuple[Any, ...], budget: Budget) -> set[Any]:
    items = _only_sequence(arguments)
    budget.spend(SET_COST)
    made: set[Any] = set()
    fill_set(made, items, budget)
    return made


def _frozenset(arguments: tuple[Any, ...], budget: Budget) -> frozenset[Any]:
    return frozenset(_set(arguments, budget))


def _ordered_dict(arguments: tuple[Any, ...], budget: Budget) -> OrderedDict[Any, Any]:
    pairs = _only_sequence(arguments)
    budget.spend(2 * SET_COST + len(pairs))
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError
    made: OrderedDict[Any, Any] = OrderedDict()
    fill_dict(made, [key for key, _ in pairs], [value for _, value in pairs], budget)
    return made


def _only_sequence(arguments: tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
    if len(arguments) > 1 or (arguments and type(arguments[0]) not in (list, tuple)):
        raise TypeError
    return arguments[0] if arguments else ()


def _calls() -> dict[tuple[str, str], Call]:
    calls: dict[tuple[str, str], Call] = {
        ("numpy", "dtype"): lambda arguments, _: PickledDtype(arguments),
        ("_codecs", "encode"): _encode,
        ("collections", "OrderedDict"): _ordered_dict,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
        calls |= {
            (f"{core}.multiarray", "_reconstruct"): _reconstruct,
            (f"{core}.multiarray", "scalar"): lambda arguments, budget: _scalar(*arguments, budget=budget),
            (f"{core}.numeric", "_frombuffer"): lambda arguments, budget: make_array_from_buffer(
                *arguments, budget=budget
            ),
        }
    plain = {"set": _set, "frozenset": _frozenset, "bytes": _bytes, "bytearray": _bytearray, "complex": _complex}
    for builtins in ("builtins", "__builtin__"):  # Python 3 and 2
        calls |= {(builtins, name): call for name, call in plain.items()}
    return calls


def _scalar(dtype: Any, raw: Any, *, budget: Budget) -> Any:
    return make_scalar(raw, dtype, budget)


_ADMITTED = {key: PickledName(".".join(key), call) for key, call in _calls().items()} | {("numpy", "ndarray"): _NDARRAY}
