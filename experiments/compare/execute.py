"""Do the runs: each in a process of its own, on this machine or on the workers of a Dask cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pyro_mmvae.experiments.compare.config import Config
from pyro_mmvae.experiments.compare.plan import Run

CHILD = "pyro_mmvae.experiments.compare.child"
LAST_LINES = 5


_running: set[subprocess.Popen[bytes]] = set()
"""Runs that this process has started and that have not ended."""
_stopping = threading.Event()
"""Whether a run that starts now, in another thread, is too late."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        run: the run.
        error: what it said at the end if it failed, else empty.
    """

    run: Run
    error: str = ""


def execute(runs: Sequence[Run], config: Config) -> list[Outcome]:
    """Do what is missing; a run that fails is reported and keeps no other from running.

    A stopped comparison goes on where it was when it is started again: finished runs are kept, others resumed.

    Args:
        runs: finished ones are left alone.
        config: of the comparison.

    Returns:
        An outcome for every run, in their order.
    """
    missing = [run for run in runs if not run.finished]
    outcomes = {run: Outcome(run) for run in runs if run.finished}
    if outcomes:
        print(f"{len(outcomes)} of {len(runs)} runs are finished already")
    _stopping.clear()
    with _executor(config) as executor:
        try:
            futures: dict[Future[str], Run] = {executor.submit(_do, *_order(run, config)): run for run in missing}
            for future in tqdm(as_completed(futures), "runs", total=len(futures), disable=not futures, unit="run"):
                outcome = _outcome(futures[future], future)
                outcomes[outcome.run] = outcome
                state = f"failed: {outcome.error.splitlines()[-1]}" if outcome.error else "finished"
                tqdm.write(f"{outcome.run.variant} seed {outcome.run.seed} {state}")
        except KeyboardInterrupt:
            _stopping.set()
            executor.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                _end(process)
            raise
    return [outcomes[run] for run in runs]


def _outcome(run: Run, future: Future[str]) -> Outcome:
    try:
        return Outcome(run, future.result())
    except Exception as error:  # a worker that died must not take the comparison with it
        return Outcome(run, f"{type(error).__name__}: {error}")


@contextmanager
def _executor(config: Config) -> Iterator[Executor]:
    if config.scheduler is None:
        with ThreadPoolExecutor(config.jobs) as pool:
            yield pool
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ImportError('--scheduler needs Dask: pip install "pyro-mmvae[sweep]"') from error
    with Client(config.scheduler) as client, client.get_executor(pure=False) as cluster:
        yield cluster


def _order(run: Run, config: Config) -> tuple[list[str], dict[str, str], Path]:
    """Return command, further environment and log file of a run."""
    arguments = [*run.arguments, *(["--resume"] if run.begun else [])]
    environment = {}
    if config.scheduler is None and config.jobs > 1 and "OMP_NUM_THREADS" not in os.environ:
        environment["OMP_NUM_THREADS"] = str(max((os.cpu_count() or 1) // config.jobs, 1))
    log = config.folder / "logs" / f"{run.folder.name}.txt"
    return ["-m", CHILD, run.config.experiment, *arguments], environment, log.absolute()


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _do(command: list[str], environment: dict[str, str], log: Path) -> str:
    """Run one process to its end; return its last lines if it failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = log.stat().st_size if log.exists() else 0
    with log.open("a") as file:  # an earlier try may tell what went wrong
        process = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | environment,
            stdin=subprocess.PIPE,  # stays open as long as this process lives, see `child`
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _running.add(process)
        try:
            if _stopping.is_set():
                _end(process)
            code = process.wait()
        finally:
            _running.discard(process)
            assert process.stdin is not None
            process.stdin.close()
    if code == 0:
        return ""
    text = log.read_bytes()[begin:].decode(errors="replace").replace("\r", "\n")
    said = [line for line in text.splitlines() if line.strip()]
    reasons = [line for line in said if ": error: " in line] or said[-LAST_LINES:]
    return "\n".join([f"exit code {code}, see {log}", *reasons])
