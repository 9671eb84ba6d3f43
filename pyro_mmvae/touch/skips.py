"""Files that are left out, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path


class BadFileError(ValueError):
    """A file that cannot be used.

    Args:
        reason: a few words, the same for all files with this fault.
        detail: what was found.

    Attributes:
        path: of the file, once it is known.
    """

    path: Path | None = None

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.path or ""), self.reason, self.detail) if part)


class SkipLog:
    """Counts files that were left out, by reason, and remembers the first of each.

    Attributes:
        counts: number of files by reason.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, path: Path, error: BadFileError) -> None:
        """Count a file."""
        self.counts[error.reason] += 1
        self._first.setdefault(error.reason, f"{path.name}: {error.detail}"[:300])

    def __str__(self) -> str:
        lines = [f"{number} {reason} (first: {self._first[reason]})" for reason, number in self.counts.items()]
        return f"{self.counts.total()} files left out" + "".join(f"\n  {line}" for line in lines)
