"""Opcodes of pickles that make plain values, in Python, each of them checked before it is done.

Python's own machine trusts what it reads: it makes room for a memo of any index and for a buffer of any size that a
file announces. This reader keeps to the documentation in `pickletools`; what is not in its table is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from pyro_mmvae.data.unpickling.arrays import PickledArray, PickledDtype
from pyro_mmvae.data.unpickling.budget import Budget, RefusedError
from pyro_mmvae.data.unpickling.containers import CONTAINER_COST, SET_COST, fill_dict, fill_set
from pyro_mmvae.data.unpickling.literals import LITERALS, Reader, take_byte, take_line, take_number, text_int
from pyro_mmvae.data.unpickling.machine import PickleMachine
from pyro_mmvae.data.unpickling.names import PickledName, find_name


def run_pickle(data: bytes, budget: Budget) -> Any:
    """Return what a pickle makes; it may still be too large or too deep, and hold what only stands for a value.

    Args:
        data: the pickle.
        budget: pays for what takes much more memory than the bytes of the file that ask for it.

    Raises:
        RefusedError: the pickle asks for what is not admitted.
        Exception: of many kinds, if it is damaged.
    """
    machine, stop, position = PickleMachine(data, budget), pickle.STOP[0], 0
    while (opcode := data[position]) != stop:
        position = _HANDLERS[opcode](machine, position + 1)
    return machine.stack.pop()


Handler = Callable[[PickleMachine, int], int]
"""Does what an opcode says, given the position behind it; returns that of the next opcode."""


def _literal(read: Reader) -> Handler:
    def push(machine: PickleMachine, position: int) -> int:
        value, position = read(machine.data, position)
        machine.stack.append(value)
        return position

    return push


def _constant(value: Any) -> Handler:
    def push(machine: PickleMachine, position: int) -> int:
        machine.stack.append(value)
        return position

    return push


def _empty(kind: type, cost: int) -> Handler:
    def push(machine: PickleMachine, position: int) -> int:
        machine.budget.spend(cost)
        machine.stack.append(kind())
        return position

    return push


def _memo(do: Callable[[PickleMachine, int], None], read: Reader) -> Handler:
    def handle(machine: PickleMachine, position: int) -> int:
        index, position = read(machine.data, position)
        do(machine, index)
        return position

    return handle


def _long_index(data: bytes, position: int) -> tuple[int, int]:
    # A slice may be short at the end of the file, and then there is no next opcode.
    return int.from_bytes(data[position : position + 4], "little"), position + 4


def _text_index(data: bytes, position: int) -> tuple[int, int]:
    line, position = take_line(data, position)
    return text_int(line), position


def _memoize(machine: PickleMachine, position: int) -> int:
    machine.remember(len(machine.memo))
    return position


def _protocol(machine: PickleMachine, position: int) -> int:
    if (version := machine.data[position]) > 5:
        raise RefusedError(f"expected a pickle of protocol 0 to 5, got {version}; write the file again with protocol 4")
    return position + 1


def _frame(machine: PickleMachine, position: int) -> int:
    size, position = take_number(machine.data, position, 8)
    if size > (left := len(machine.data) - position):
        raise EOFError(f"{size} bytes are announced, {left} follow")
    return position


def _mark(machine: PickleMachine, position: int) -> int:
    machine.budget.spend(CONTAINER_COST)
    machine.marked.append(machine.stack)
    machine.stack = []
    return position


def _tuple_of(count: int) -> Handler:
    def push(machine: PickleMachine, position: int) -> int:
        stack = machine.stack
        machine.budget.spend(CONTAINER_COST)
        if len(stack) < count:
            raise IndexError("an item is missing")
        stack[-count:] = [tuple(stack[-count:])]
        return position

    return push


def _of_marked(make: Callable[[list[Any], Budget], Any], cost: int) -> Handler:
    def push(machine: PickleMachine, position: int) -> int:
        machine.budget.spend(cost)
        made = make(machine.pop_marked(), machine.budget)
        machine.stack.append(made)
        return position

    return push


def _dict(items: list[Any], budget: Budget) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    fill_dict(made, items[::2], items[1::2], budget)
    return made


def _frozenset(items: list[Any], budget: Budget) -> frozenset[Any]:
    made: set[Any] = set()
    fill_set(made, items, budget)
    return frozenset(made)


def _append(machine: PickleMachine, position: int) -> int:
    _extend(machine, [machine.stack.pop()])
    return position


def _appends(machine: PickleMachine, position: int) -> int:
    _extend(machine, machine.pop_marked())
    return position


def _extend(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if type(target) is not list:
        raise RefusedError(f"expected a list to append to, got {type(target).__name__}; {_ADVICE}")
    target.extend(items)


def _set_item(machine: PickleMachine, position: int) -> int:
    value, key = machine.stack.pop(), machine.stack.pop()
    fill_dict(machine.stack[-1], [key], [value], machine.budget)
    return position


def _set_items(machine: PickleMachine, position: int) -> int:
    items = machine.pop_marked()
    fill_dict(machine.stack[-1], items[::2], items[1::2], machine.budget)
    return position


def _add_items(machine: PickleMachine, position: int) -> int:
    items = machine.pop_marked()
    fill_set(machine.stack[-1], items, machine.budget)
    return position


def _global(machine: PickleMachine, position: int) -> int:
    module, position = take_line(machine.data, position)
    name, position = take_line(machine.data, position)
    machine.stack.append(find_name(module.decode(), name.decode()))
    return position


def _stack_global(machine: PickleMachine, position: int) -> int:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(find_name(module, name))
    return position


def _reduce(machine: PickleMachine, position: int) -> int:
    arguments, name = machine.stack.pop(), machine.stack[-1]
    if type(name) is not PickledName:
        raise RefusedError(f"refused to call a {type(name).__name__}; {_ADVICE}")
    machine.budget.spend(CONTAINER_COST)
    machine.stack[-1] = name.call(arguments, machine.budget)
    return position


def _build(machine: PickleMachine, position: int) -> int:
    state, target = machine.stack.pop(), machine.stack[-1]
    if type(target) is PickledArray:
        machine.stack[-1] = target.set_state(state, machine.budget)
    elif type(target) is PickledDtype:
        target.set_state(state)
    else:
        raise RefusedError(f"refused to set attributes of a {type(target).__name__}; {_ADVICE}")
    return position


def _refuse(opcode: int) -> Handler:
    def refuse(machine: PickleMachine, position: int) -> int:
        from pickletools import opcodes  # only for the message

        name = next((known.name for known in opcodes if known.code == chr(opcode)), None)
        if name is None:
            raise ValueError(f"{opcode:#x} is no opcode")
        raise RefusedError(f"refused the opcode {name}, which plain arrays and containers do not need; {_ADVICE}")

    return refuse


_ADVICE = "write the file again, with plain containers of arrays"

_TABLE: dict[bytes, Handler] = {opcode: _literal(read) for opcode, read in LITERALS.items()} | {
    pickle.PROTO: _protocol,
    pickle.FRAME: _frame,
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.EMPTY_TUPLE: _constant(()),
    pickle.EMPTY_LIST: _empty(list, CONTAINER_COST),
    pickle.EMPTY_DICT: _empty(dict, CONTAINER_COST),
    pickle.EMPTY_SET: _empty(set, SET_COST),
    pickle.MARK: _mark,
    pickle.TUPLE1: _tuple_of(1),
    pickle.TUPLE2: _tuple_of(2),
    pickle.TUPLE3: _tuple_of(3),
    pickle.TUPLE: _of_marked(lambda items, _: tuple(items), CONTAINER_COST),
    pickle.LIST: _of_marked(lambda items, _: items, CONTAINER_COST),
    pickle.DICT: _of_marked(_dict, CONTAINER_COST),
    pickle.FROZENSET: _of_marked(_frozenset, SET_COST),
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: _set_items,
    pickle.ADDITEMS: _add_items,
    pickle.PUT: _memo(PickleMachine.remember, _text_index),
    pickle.BINPUT: _memo(PickleMachine.remember, take_byte),
    pickle.LONG_BINPUT: _memo(PickleMachine.remember, _long_index),
    pickle.MEMOIZE: _memoize,
    pickle.GET: _memo(PickleMachine.recall, _text_index),
    pickle.BINGET: _memo(PickleMachine.recall, take_byte),
    pickle.LONG_BINGET: _memo(PickleMachine.recall, _long_index),
    pickle.GLOBAL: _global,
    pickle.STACK_GLOBAL: _stack_global,
    pickle.REDUCE: _reduce,
    pickle.BUILD: _build,
}
_HANDLERS = [_TABLE.get(bytes([code])) or _refuse(code) for code in range(256)]
