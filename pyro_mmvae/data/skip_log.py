"""What was left out of a data set, and why."""

from __future__ import annotations

from collections import Counter


class SkipLog:
    """Counts what was left out, by reason, and remembers the first of each.

    Args:
        what: is left out, in the plural.

    Attributes:
        counts: how many, by reason.
        first: the first one of each reason, with what was found.
    """

    def __init__(self, what: str = "samples") -> None:
        self.what = what
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, name: str, reason: str, detail: str = "", number: int = 1) -> None:
        """Count one, or several of which `name` is the first."""
        self.counts[reason] += number
        self.first.setdefault(reason, (f"{name}: {detail}" if detail else name)[:300])

    def __str__(self) -> str:
        lines = [f"{number} {reason} (first: {self.first[reason]})" for reason, number in self.counts.items()]
        return f"{self.counts.total()} {self.what} left out" + "".join(f"\n  {line}" for line in lines)
