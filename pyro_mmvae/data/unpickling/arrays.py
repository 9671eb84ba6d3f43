"""Numeric arrays from what a pickle says of them: numpy sees nothing that was not checked."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.unpickling.budget import Budget, RefusedError, shown

MAX_NDIM = 32
ARRAY_COST = 128
"""Bytes of an array without its values."""
# Fixed widths that all platforms share; longdouble is not one.
_KINDS = re.compile(r"b1|[iu][1248]|f[248]|c8|c16|[SU][0-9]{1,7}", re.ASCII)
_HARMLESS_FLAGS = (0, 8)  # 8 is numpy's mark of text; the others mean objects and pointers
_MAX_CODE_POINT = 0x10FFFF


class PickledDtype:
    """Stands for a `numpy.dtype` while a pickle is read: what it says is written down, and checked when it is used.

    Args:
        arguments: what the pickle calls `numpy.dtype` with: the kind, e.g. "f8", and two flags.
    """

    __slots__ = ("_arguments", "_dtype", "_state")

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self._arguments = arguments
        self._state: Any = None
        self._dtype: np.dtype[Any] | None = None

    def set_state(self, state: Any) -> None:
        """Write down the state, which for a plain dtype tells the byte order."""
        self._state, self._dtype = state, None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that it stands for.

        Raises:
            RefusedError: it is not one of numbers or text, or has fields, parts or metadata.
        """
        if self._dtype is None:
            self._dtype = _with_state(_plain_dtype(*self._arguments), self._state)
        return self._dtype


def _plain_dtype(kind: Any = None, align: Any = False, copy: Any = True, *others: Any) -> np.dtype[Any]:
    if type(kind) is not str or not _KINDS.fullmatch(kind) or others or not (_is_flag(align) and _is_flag(copy)):
        got = shown(kind) if type(kind) is str else type(kind).__name__
        raise RefusedError(f"expected an array of numbers or text, got dtype {got!r}; {_ADVICE}")
    return np.dtype(kind)


def _with_state(dtype: np.dtype[Any], state: Any) -> np.dtype[Any]:
    if state is None:
        return dtype
    if type(state) is not tuple or len(state) != 8 or not _is_plain(dtype, *state):
        raise RefusedError(f"expected a dtype without fields, parts or metadata, got another state; {_ADVICE}")
    return dtype.newbyteorder(state[1])


def _is_plain(
    dtype: np.dtype[Any], version: Any, order: Any, parts: Any, names: Any, fields: Any, *layout: Any
) -> bool:
    if not all(type(value) is int for value in (version, *layout)) or type(order) is not str:
        return False
    size, alignment, flags = layout
    return (
        version == 3
        and order in ("<", ">", "|", "=")
        and parts is names is fields is None
        and size in (-1, dtype.itemsize)
        and alignment in (-1, dtype.alignment)
        and flags in _HARMLESS_FLAGS
    )


class PickledArray:
    """Stands for an array that a pickle has announced and not yet filled."""

    __slots__ = ("_array",)

    def __init__(self) -> None:
        self._array: NDArray[Any] | None = None

    def set_state(self, state: Any, budget: Budget) -> NDArray[Any]:
        """Return the array; the state is its version, shape, dtype, order and values.

        Raises:
            RefusedError: these do not make an array of plain values.
        """
        if type(state) is not tuple or len(state) != 5 or state[0] != 1 or not _is_flag(state[3]):
            raise RefusedError(f"expected the state of an array, got another one; {_ADVICE}")
        _, shape, dtype, is_fortran, raw = state
        array = make_array(raw, dtype, shape, "F" if is_fortran else "C", budget)
        # In the byte order of the machine, as numpy has it here; only protocol 5 keeps the order of the file.
        self._array = array.astype(array.dtype.newbyteorder("="), copy=False)
        return self._array

    @property
    def array(self) -> NDArray[Any]:
        """The array, once it has its state.

        Raises:
            RefusedError: it has none yet.
        """
        if self._array is None:
            raise RefusedError(f"expected an array before it is used, got one without values; {_ADVICE}")
        return self._array


def make_array(raw: Any, dtype: Any, shape: Any, order: Any, budget: Budget) -> NDArray[Any]:
    """Return a new array of what a pickle holds.

    Args:
        raw: the values: bytes, or a text that has one character per byte, as Python 2 wrote them.
        dtype: a `PickledDtype`.
        shape: non-negative integers.
        order: "C" or "F".
        budget: pays for the copy.

    Raises:
        RefusedError: one of them is something else, or they do not fit each other.
    """
    if type(dtype) is not PickledDtype or type(order) is not str or order not in ("C", "F"):
        raise RefusedError(f"expected an array with a dtype and in order C or F, got something else; {_ADVICE}")
    _check_shape(shape)
    values = _bytes(raw)
    kind = dtype.dtype
    if math.prod(shape) * kind.itemsize != len(values):
        raise RefusedError(
            f"expected as many bytes as an array of {kind} and of shape {shown(str(shape))} has, "
            f"got {len(values)}; {_ADVICE}"
        )
    budget.spend(ARRAY_COST + len(values))
    if not values:
        # An empty file fits any shape with a 0 in it, however large the rest is.
        budget.spend(math.prod(max(size, 1) for size in shape))
        return np.zeros(shape, kind, order)  # type: ignore[call-overload]
    _check_values(values, kind)
    return np.frombuffer(values, kind).reshape(shape, order=order).copy(order)  # type: ignore[call-overload]


def make_scalar(raw: Any, dtype: Any, budget: Budget) -> Any:
    """Return a numpy scalar of what a pickle holds.

    Raises:
        RefusedError: as `make_array`.
    """
    return make_array(raw, dtype, (), "C", budget)[()]


def make_array_from_buffer(
    raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None, *, budget: Budget
) -> NDArray[Any]:
    """Return an array as protocol 5 describes it; in order "K" its axes are permuted.

    Raises:
        RefusedError: as `make_array`, or the axes are no permutation.
    """
    if order != "K" or type(order) is not str:
        return make_array(raw, dtype, shape, order, budget)
    array = make_array(raw, dtype, shape, "C", budget)
    if not _are_indices(axes) or sorted(axes) != list(range(array.ndim)):
        raise RefusedError(f"expected a permutation of an array's axes, got something else; {_ADVICE}")
    return array.transpose(axes)


def _check_shape(shape: Any) -> None:
    if not _are_indices(shape) or len(shape) > MAX_NDIM:
        raise RefusedError(
            f"expected a shape of at most {MAX_NDIM} non-negative integers, got something else; {_ADVICE}"
        )


def _check_values(values: bytes | bytearray, kind: np.dtype[Any]) -> None:
    """Refuse bytes that are no value of their dtype: numpy takes it for granted that a bool is 0 or 1."""
    if kind.kind == "b" and np.frombuffer(values, np.uint8).max(initial=0) > 1:
        raise RefusedError(f"expected booleans of 0 and 1, got other bytes; {_ADVICE}")
    if kind.kind == "U":
        points = np.frombuffer(values, np.dtype(np.uint32).newbyteorder(kind.byteorder))
        if points.max(initial=0) > _MAX_CODE_POINT:
            raise RefusedError(f"expected text, got code points beyond Unicode; {_ADVICE}")


def _bytes(raw: Any) -> bytes | bytearray:
    if type(raw) is str:
        return raw.encode("latin1")
    if type(raw) is bytes or type(raw) is bytearray:
        return raw
    raise RefusedError(f"expected the bytes of an array, got {type(raw).__name__}: arrays of objects are not admitted")


def _are_indices(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and value >= 0 for value in values)


def _is_flag(value: Any) -> bool:
    return type(value) in (bool, int) and value in (0, 1)


_ADVICE = "only plain arrays are admitted: write the file again, with arrays of numbers"
