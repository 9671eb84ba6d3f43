"""Reading pickles that came from elsewhere: numeric arrays and plain containers, and nothing that runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from pyro_mmvae.data.unpickling.budget import Budget, RefusedError, shown
from pyro_mmvae.data.unpickling.containers import check_value
from pyro_mmvae.data.unpickling.opcodes import run_pickle

SPARE_MEMORY = 2**27
MEMORY_PER_BYTE = 24
"""Reading may take so many bytes, and so many more for each byte of the file; RHD's files take about three."""
SPARE_SIZE = 2**23
SIZE_PER_BYTE = 16
"""What was read may have so many bytes and entries, shared parts counted wherever they appear."""


class UnsafePickleError(pickle.UnpicklingError, ValueError):
    """A pickle is damaged or asks for what is not admitted; also a `ValueError`, as users can mend it."""


def restricted_load(path: str | Path) -> Any:
    """Read a pickle of numeric arrays and plain containers; nothing that it names is imported or called.

    Pickles of numpy 1 and 2, of Python 2 and 3 and of all protocols are read alike. They are read by a machine of our
    own, which makes dictionaries, lists, tuples, sets, `OrderedDict`, text, bytes, numbers, numpy's arrays and scalars
    of bool, int, float, complex and text, and has nothing else to make. Time and memory are bounded by the size of the
    file, and so is the time that others take to go through the value.

    Args:
        path: the pickle file.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafePickleError: the file is damaged, or it asks for anything but arrays and containers.
    """
    return restricted_loads(Path(path).read_bytes(), str(path))


def restricted_loads(data: bytes, source: str = "the pickle") -> Any:
    """Unpickle bytes as `restricted_load` does; `source` names them in error messages.

    Raises:
        UnsafePickleError: as `restricted_load`.
    """
    budget = Budget(SPARE_MEMORY + MEMORY_PER_BYTE * len(data), "of memory to read")
    try:
        value = run_pickle(data, budget)
        check_value(value, SPARE_SIZE + SIZE_PER_BYTE * len(data))
    except RefusedError as error:
        raise UnsafePickleError(f"{source}: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything: EOFError, KeyError, TypeError...
        raise UnsafePickleError(
            f"{source}: expected a pickle of numpy arrays and plain containers, got one that cannot be read "
            f"({type(error).__name__}: {shown(str(error), 200)}); it may be damaged: download or write it again"
        ) from error
    return value
