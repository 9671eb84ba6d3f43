"""Commands in processes of their own, that can be killed or stopped at any moment; forked from one with all imports."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path

import pytest

import pyro_mmvae.experiments.compare.compare
import pyro_mmvae.experiments.likelihood.estimate
import pyro_mmvae.experiments.mnist.experiment
import pyro_mmvae.experiments.mog.experiment
import pyro_mmvae.experiments.rhd.experiment  # noqa: F401 - forked processes need not import them
from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.experiments.likelihood.__main__ import main as likelihood

FORKED = multiprocessing.get_context("forkserver")
TESTS = Path(__file__).parents[1]
OTHERS = {"compare": compare, "likelihood": likelihood}
LONGEST = 240


@functools.cache
def _start_server() -> None:
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("OMP_NUM_THREADS", "1")
        FORKED.set_forkserver_preload(["fuzz.processes"])
        forkserver.ensure_running()


def _child(words: Sequence[str], folder: Path, log: Path) -> None:
    os.setsid()  # Ctrl-C reaches all processes of a group
    os.chdir(folder)
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    name, *rest = words
    try:
        OTHERS[name](rest) if name in OTHERS else driver.main(name, rest)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def run(words: Sequence[str], folder: Path, after: float = LONGEST, how: int = signal.SIGKILL) -> tuple[int, str]:
    """Run a command, and send it and its processes a signal after so many seconds unless it has ended.

    Returns:
        Its exit code, that of Python's `subprocess`, and what it said.
    """
    _start_server()
    log = folder / "said.txt"
    log.unlink(missing_ok=True)
    process = FORKED.Process(target=_child, args=(list(words), folder, log))
    process.start()
    process.join(after)
    if process.is_alive() and log.exists():  # the process has a group of its own by now
        os.killpg(process.pid, how)
    process.join(LONGEST)
    late = process.is_alive()
    if late:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    said = log.read_text(errors="replace") if log.exists() else ""
    return (-999 if late else process.exitcode), said
