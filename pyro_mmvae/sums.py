"""Sums and counts of an epoch, of which its means are made."""

from __future__ import annotations

import torch
from torch import Tensor


class Sums:
    """Adds up quantities by name, with the number of samples that have them."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, total: Tensor, count: Tensor) -> None:
        """Add a sum over samples and their number, scalars on one device; nothing waits for it."""
        before = self._sums.get(name)
        count = count.to(total)
        self._sums[name] = (total, count) if before is None else (before[0] + total, before[1] + count)

    def forget(self, prefix: str) -> None:
        """Drop what begins with a prefix."""
        self._sums = {name: pair for name, pair in self._sums.items() if not name.startswith(prefix)}

    def take(self, prefix: str) -> tuple[list[str], Tensor]:
        """Return and drop what begins with a prefix: N names in order, sums and counts of shape `(N, 2)`."""
        names = sorted(name for name in self._sums if name.startswith(prefix))
        if not names:
            return [], torch.zeros(0, 2)
        dtype = self._sums[names[0]][0].dtype
        pairs = torch.stack([torch.stack(self._sums[name]).to(dtype) for name in names])
        self.forget(prefix)
        return names, pairs
