"""Errors that users of the library may want to catch by name."""

from __future__ import annotations


class IncompatibleError(ValueError):
    """A model, a guide and an objective that cannot work together; the message says why and what would."""
