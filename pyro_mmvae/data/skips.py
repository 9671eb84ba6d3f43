"""What is left out of a set, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

MAX_WORDS = 300
"""Characters that are kept of what was found."""


class UnusableError(ValueError):
    """A member of a set that cannot be used.

    Args:
        reason: a few words, the same for all that have this fault.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class SkipLog:
    """Counts what was left out, by reason, and remembers the first of each.

    Args:
        what: is left out, in the plural.
        expected: reasons for which everybody leaves it out.

    Attributes:
        counts: how many, by reason.
        first: the first one of each reason, with what was found.
    """

    def __init__(self, what: str = "samples", expected: Collection[str] = ()) -> None:
        self.what, self.expected = what, expected
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, name: int | str, reason: str, detail: str = "", number: int = 1) -> None:
        """Count one, by its number or name, or several of which it is the first."""
        self.counts[reason] += number
        named = f"number {name}" if isinstance(name, int) else name
        self.first.setdefault(reason, (f"{named}: {detail}" if detail else named)[:MAX_WORDS])

    @property
    def unexpected(self) -> int:
        """How many were left out for another reason than that everybody leaves them out."""
        return self.counts.total() - sum(self.counts[reason] for reason in self.expected)

    def __str__(self) -> str:
        lines = [f"{number} {reason} (first: {self.first[reason]})" for reason, number in self.counts.items()]
        return f"{self.counts.total()} {self.what} left out" + "".join(f"\n  {line}" for line in lines)
