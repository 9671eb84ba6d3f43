"""Encoders run once for one batch, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor, nn

_Found = dict[tuple[int, int], tuple[Tensor, Tensor]]
_FOUND: ContextVar[_Found | None] = ContextVar("features of this batch", default=None)


@contextmanager
def encoded_once() -> Iterator[None]:
    """Let guides that share an encoder share its features: within, it runs once on the same values.

    An objective with branches does so for one evaluation: the pairs share modules, batch statistics count once, and
    dropout is the same for all.
    """
    token = _FOUND.set({})
    try:
        yield
    finally:
        _FOUND.reset(token)


def encoded(encoder: nn.Module, value: Tensor) -> Tensor:
    """Return the encoder's features of values `(B, *event)`."""
    found = _FOUND.get()
    if found is None:
        features: Tensor = encoder(value)
        return features
    key = (id(encoder), id(value))
    if key not in found:
        found[key] = value, encoder(value)  # the value is kept, so that no other one gets its id
    return found[key][1]
