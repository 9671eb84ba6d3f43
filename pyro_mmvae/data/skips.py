"""What is left out of a set, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection


class SkipLog:
    """Counts samples that were left out, by reason, and remembers the first of each.

    Args:
        expected: reasons for which everybody leaves samples out.

    Attributes:
        counts: number of samples by reason.
    """

    def __init__(self, expected: Collection[str] = ()) -> None:
        self.expected = expected
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, index: int | str, reason: str, detail: str = "") -> None:
        """Count one sample, by its number or name."""
        self.counts[reason] += 1
        self._first.setdefault(reason, f"sample {index}" + (f": {detail}" if detail else ""))

    @property
    def unexpected(self) -> int:
        """Number of samples left out for another reason than that everybody leaves them out."""
        return self.counts.total() - sum(self.counts[reason] for reason in self.expected)

    def __str__(self) -> str:
        lines = [f"{number} x {reason} (first: {self._first[reason]})" for reason, number in self.counts.items()]
        return f"{self.counts.total()} skipped" + "".join(f"\n  {line}" for line in lines)
