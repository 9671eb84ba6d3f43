"""Makes a folder of pictures in one go, whatever their layout: in several processes, and all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from tqdm import tqdm

from pyro_mmvae.files import read_json

SETTINGS_FILE = "synthetic.json"
_WORTH_A_PROCESS = 64  # images; starting one takes as long as drawing them
Task = TypeVar("Task")
Made = TypeVar("Made")


def make_set(root: Path, settings: dict, fill: Callable[[Path], None]) -> Path:
    """Fills a folder, unless it is there already.

    It is filled under a hidden name beside `root` and gets its own name when it is complete, so that a run that is cut
    short leaves nothing that looks like a set (and nothing at all, unless the process is killed: then
    `.NAME.unfinished-*` stays and can be deleted).

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        settings: what the set follows from; kept with it.
        fill: writes everything else.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        OSError: it cannot be written, for example because the disk is full.
    """
    if is_there(root, settings):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{root.name}.unfinished-", dir=root.parent))
    try:
        fill(folder)
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")
        folder.chmod(0o755)  # mkdtemp's folders are closed to other users
        _publish(folder, root, settings)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return root


def grow_set(root: Path, settings: dict, fill: Callable[[Path], None]) -> Path:
    """Fills a folder, unless it is there already; one that was stopped goes on where it was.

    It is filled as `.NAME.unfinished` beside `root` and gets its own name when it is complete. Of several processes
    that ask for it, one makes it and the others wait.

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        settings: what the set follows from; kept with it.
        fill: writes everything else that is not in the folder yet; called again after it was stopped at any moment.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        OSError: it cannot be written, for example because the disk is full.
    """
    if is_there(root, settings):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if not is_there(root, settings):
            folder = root.with_name(f".{root.name}.unfinished")
            _begin(folder, settings)
            fill(folder)
            if root.exists():
                root.rmdir()  # an empty folder, else it would not have come to this
            folder.replace(root)
    return root


def _begin(folder: Path, settings: dict) -> None:
    """Makes the folder of what is not finished; one of other settings goes."""
    try:
        same = read_json(folder / SETTINGS_FILE) == settings
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")


def made(
    job: Callable[[Task], Made],
    tasks: Sequence[Task],
    workers: int | None,
    images: int,
    progress: bool,
    done: int = 0,
) -> Iterator[Made]:
    """Does a job for all tasks, here or in other processes, and yields the results in order.

    Args:
        job: can be sent to another process, as can tasks and results.
        tasks: one by one.
        workers: processes. None: one per core, fewer for a small set.
        images: that one task draws.
        progress: show a bar.
        done: tasks that were done before, for the bar.
    """
    processes = workers or min(os.cpu_count() or 1, len(tasks) * images // _WORTH_A_PROCESS)
    with _results(job, tasks, processes) as results:
        total = done + len(tasks)
        yield from tqdm(results, "drawing", total, unit="image", initial=done, disable=not progress)


@contextmanager
def _results(job: Callable[[Task], Made], tasks: Sequence[Task], workers: int) -> Iterator[Iterator[Made]]:
    """The job done for all tasks, here or in other processes; leaving early drops what has not begun."""
    if workers <= 1 or len(tasks) < 2:
        yield map(job, tasks)
        return
    # A forked child would inherit the locks of whatever threads torch has started.
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context)
    try:
        yield pool.map(job, tasks, chunksize=max(1, min(16, len(tasks) // (4 * workers))))
    finally:
        pool.shutdown(cancel_futures=True)


def is_there(root: Path, settings: dict) -> bool:
    """Whether the set is made already.

    Raises:
        FileExistsError: the folder holds anything else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    path = root / SETTINGS_FILE
    advice = "give another folder, or delete this one to have it made anew"
    if not path.is_file():
        raise FileExistsError(f"{root} exists and holds no finished synthetic set: {advice}")
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise FileExistsError(f"{error}: {advice}") from error
    if found != settings:
        raise FileExistsError(
            f"{root} holds a synthetic set with other settings: expected {settings}, got {found}: {advice}"
        )
    return True


def check_numbers(num_train: int, num_eval: int, seed: int, workers: int | None) -> None:
    """Refuses numbers that no set has.

    Raises:
        ValueError: says which.
    """
    if num_train < 1 or num_eval < 1:
        raise ValueError(f"expected at least one sample in each split, got {num_train} and {num_eval}")
    if workers is not None and workers < 1:
        raise ValueError(f"expected at least one process, got {workers} workers")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")


def _publish(folder: Path, root: Path, settings: dict) -> None:
    """Gives a finished set its name."""
    try:
        folder.replace(root)
    except OSError:
        if not is_there(root, settings):  # true when another process has made the same set meanwhile
            raise
        shutil.rmtree(folder)
