"""Means over samples that come batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


class Means:
    """Means over all samples that have a quantity, from sums and counts by batch, such as `Bound.totals` gives."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, totals: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Take sums over a batch, and the numbers of samples that they are over."""
        for name, (total, count) in totals.items():
            before, samples = self._sums.get(name, (0.0, 0))
            self._sums[name] = (before + float(total), samples + int(count))

    def mean(self) -> dict[str, float]:
        """Return the means; those over nothing are left out."""
        return {name: total / count for name, (total, count) in self._sums.items() if count}
