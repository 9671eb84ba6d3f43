"""What a pickle works on: a stack and a memo."""

from __future__ import annotations

from typing import Any

from pyro_mmvae.data.unpickling.arrays import PickledArray
from pyro_mmvae.data.unpickling.budget import Budget
from pyro_mmvae.data.unpickling.containers import ENTRY_COST


class PickleMachine:
    """The stack and the memo of one pickle.

    Args:
        data: the pickle.
        budget: pays for what takes much more memory than the bytes of the file that ask for it.
    """

    __slots__ = ("budget", "data", "marked", "memo", "stack")

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.data = data
        self.budget = budget
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}  # not a list, as Python's: a large index costs nothing

    def pop_marked(self) -> list[Any]:
        """Return what was pushed since the last mark.

        Raises:
            IndexError: there is no mark.
        """
        items, self.stack = self.stack, self.marked.pop()
        return items

    def remember(self, index: int) -> None:
        """Put what is on top of the stack into the memo.

        Raises:
            IndexError: the stack is empty.
            RefusedError: the memo is full.
        """
        self.budget.spend(ENTRY_COST)
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        """Push what the memo holds.

        Raises:
            KeyError: it holds nothing there.
            RefusedError: it holds an array without values.
        """
        value = self.memo[index]
        self.stack.append(value.array if type(value) is PickledArray else value)
