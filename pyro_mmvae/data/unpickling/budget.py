"""What reading a file may cost, and how it is refused."""

from __future__ import annotations


class RefusedError(ValueError):
    """A pickle asks for what is not admitted; the message is one line, without the file's name."""


class Budget:
    """Bytes of memory, or of work of that order, that may be spent on a file.

    A pickle of a few bytes can ask for gigabytes, so whatever it asks for is paid for before it is made.

    Args:
        limit: bytes.
        purpose: what they are spent on, for the message.
    """

    def __init__(self, limit: int, purpose: str) -> None:
        self._limit = self._left = limit
        self._purpose = purpose

    def spend(self, amount: int) -> None:
        """Take an amount off the budget.

        Raises:
            RefusedError: more is asked for than is left.
        """
        self._left -= amount
        if self._left < 0:
            raise RefusedError(
                f"expected a file that needs at most {self._limit} bytes {self._purpose}, got one that needs more; "
                f"it is damaged or made to exhaust the memory: write it again as plain arrays, without shared parts"
            )


def shown(text: str, length: int = 80) -> str:
    """Return the start of a text from a file, without what would spoil a line or a terminal."""
    return text if len(text) <= length and text.isprintable() else ascii(text[:length])[1:-1]
