"""Command lines whose errors a user can read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pyro_mmvae.own_code import raised_in

ERRORS = (ValueError, OSError, ImportError, ArithmeticError)
"""What a user can mend: options, files, packages that are not there, a run that diverged."""


def run_command(
    prog: str,
    work: Callable[[list[str]], None],
    argv: Sequence[str] | None,
    also: tuple[type[Exception], ...] = (),
) -> None:
    """Run a command line; errors that a user can mend end in one line and exit code 2, Ctrl-C in one and 130.

    Errors in code of the user's own are shown as they are.

    Args:
        prog: how the command is called, e.g. `python -m experiments.mnist`.
        work: does what the arguments say.
        argv: arguments; those of the process if left out.
        also: further errors that a user can mend.
    """
    try:
        work(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if not isinstance(error, also) and not _mendable(error):
            raise
        print(f"{prog}: error: {_said(error)}", file=sys.stderr)
        raise SystemExit(2) from error


def _said(error: Exception) -> str:
    text = str(error)
    if _of_a_dead_worker(error):
        text = f"{' '.join(text.split())} Memory may be short: try fewer --workers"
    if text.startswith("Caught ") and "DataLoader worker process" in text.partition("\n")[0]:
        text = text.rstrip().rpartition("\n")[2]  # PyTorch puts the traceback of the worker into the message
    return text or type(error).__name__


def _of_a_dead_worker(error: Exception) -> bool:
    """Return whether a process that loads data was killed; PyTorch says so wherever the main process is."""
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker (pid")


def _mendable(error: Exception) -> bool:
    if raised_in(error.__traceback__):
        return False
    if isinstance(error, ERRORS) or _of_a_dead_worker(error):
        return True
    # Late, as it costs seconds: help and mistakes on the command line answer at once.
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    return isinstance(error, MisconfigurationException)
