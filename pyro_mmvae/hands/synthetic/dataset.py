"""Writes a synthetic set of any size in RHD's own files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pyro_mmvae.files import read_json
from pyro_mmvae.hands.rhd_format import SPLITS, encode_depth, sample_paths, write_annotations

from .render import renderer_named
from .scene import sample_scene

VERSION = 1  # raise it when the same settings would give other pictures
SETTINGS_FILE = "synthetic.json"
_WORTH_A_PROCESS = 64  # images; starting one takes as long as drawing them
Annotation = dict[str, np.ndarray]


def _write_one(
    task: tuple[str, int], *, root: Path, seed: int, renderer: str, image_size: int
) -> tuple[str, int, Annotation]:
    split, index = task
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    sample = sample_scene(rng, image_size, renderer)
    images = (sample.color, encode_depth(sample.depth), sample.mask)
    for path, image in zip(sample_paths(root, split, index), images, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The usual level of compression takes longer than the rendering and saves a tenth of the space.
        Image.fromarray(image).save(path, compress_level=1)
    return split, index, sample.annotation()


@contextmanager
def _results(job: partial, tasks: list[tuple[str, int]], workers: int) -> Iterator[Iterator]:
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


def _render(folder: Path, settings: dict, renderer: str, workers: int | None, progress: bool) -> None:
    counts = dict(zip(SPLITS, (settings["num_train"], settings["num_eval"]), strict=True))
    tasks = [(split, index) for split in SPLITS for index in range(counts[split])]
    annotations: dict[str, dict[int, Annotation]] = {split: {} for split in SPLITS}
    job = partial(_write_one, root=folder, seed=settings["seed"], renderer=renderer, image_size=settings["image_size"])
    processes = workers or min(os.cpu_count() or 1, len(tasks) // _WORTH_A_PROCESS)
    with _results(job, tasks, processes) as results:
        for split, index, annotation in tqdm(
            results, total=len(tasks), desc="rendering hands", unit="image", disable=not progress
        ):
            annotations[split][index] = annotation
    for split in SPLITS:
        write_annotations(folder, split, annotations[split])
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")


def _is_there(root: Path, settings: dict) -> bool:
    """Whether the set is made already; anything else in the folder is an error."""
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


def _check(num_train: int, num_eval: int, seed: int, image_size: int, workers: int | None) -> None:
    if num_train < 1 or num_eval < 1:
        raise ValueError(f"expected at least one sample in each split, got {num_train} and {num_eval}")
    if workers is not None and workers < 1:
        raise ValueError(f"expected at least one process, got {workers} workers")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")
    if image_size < 32:
        raise ValueError(f"expected an image size of at least 32 pixels, got {image_size}")


def generate(
    root: str | os.PathLike[str],
    num_train: int,
    num_eval: int,
    seed: int = 0,
    *,
    renderer: str = "numpy",
    workers: int | None = None,
    image_size: int = 320,
    progress: bool = True,
) -> Path:
    """Makes a synthetic hand set, unless it is there already.

    Sample i of a split depends on the seed, the split and i alone: a larger set begins with the smaller one, and
    the number of processes changes nothing. The set is made in a hidden folder beside `root` and gets its name when
    it is complete, so that a run that is cut short leaves nothing that looks like a set (and nothing at all, unless the
    process is killed: then `.NAME.unfinished-*` stays and can be deleted).

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        num_train: samples in "training".
        num_eval: samples in "evaluation".
        seed: not negative.
        renderer: "numpy", or "open3d" (the extra `[open3d]`), whose ray caster gives the same geometry.
        workers: processes; by default one per core, fewer for a small set. With one, all is done in this process.
        image_size: height and width; RHD's is 320.
        progress: show a progress bar.

    Returns:
        The folder, as the RHD loader takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ValueError: a number is out of range, or no renderer has this name.
        ImportError: open3d is asked for and cannot be imported.
        OSError: the set cannot be written, for example because the disk is full.
    """
    _check(num_train, num_eval, seed, image_size, workers)
    settings = {
        "version": VERSION,
        "num_train": num_train,
        "num_eval": num_eval,
        "seed": seed,
        "image_size": image_size,
    }
    root = Path(root)
    if _is_there(root, settings):
        return root
    renderer_named(renderer)  # a missing extra is said here, not by a worker
    root.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{root.name}.unfinished-", dir=root.parent))
    try:
        _render(folder, settings, renderer, workers, progress)
        folder.chmod(0o755)  # mkdtemp's folders are closed to other users
        _publish(folder, root, settings)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return root


def _publish(folder: Path, root: Path, settings: dict) -> None:
    """Gives a finished set its name."""
    try:
        folder.replace(root)
    except OSError:
        if not _is_there(root, settings):  # true when another process has made the same set meanwhile
            raise
        shutil.rmtree(folder)
