"""Imports what the extra `[robot]` brings, or says how to get it."""

from __future__ import annotations

import importlib
from typing import Any

_HELP = (
    '{name} could not be imported ({error}). Install it with `pip install "pyro-mmvae[robot]"`, or '
    '`pip install -e ".[robot]"` in a clone'
)


def import_extra(name: str) -> Any:
    """Return `h5py` or `mujoco`.

    Raises:
        ImportError: it is not installed, or one of its system libraries is missing.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise ImportError(_HELP.format(name=name, error=error)) from error
