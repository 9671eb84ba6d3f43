"""Writes a synthetic set of any size in Vision&Touch's files."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from pyro_mmvae.data.corruption import checked_share
from pyro_mmvae.data.making import SETTINGS_FILE, is_there, made
from pyro_mmvae.files import read_json
from pyro_mmvae.touch.extra import import_extra
from pyro_mmvae.touch.layout import DATASETS, DEPTH, FORCE, RGB, SIDE, STEPS

from .camera import sample_view
from .draw import Painter
from .episode import Episode, simulate
from .faults import FAULTS, fail_in_file
from .task import sample_task

VERSION = 1  # raise it when the same settings would give another set
LEAST_SIDE = 32


def generate(
    root: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    size: int = SIDE,
    failing: float = 0.0,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Make a synthetic set of attempts, unless it is there already.

    Attempt i depends on seed and i alone: a larger set begins with the smaller one, and the number of processes changes
    nothing. The set is made in a hidden folder beside `root`, `.NAME.unfinished`, and gets its name when it is
    complete. Stopped or killed at any moment, it goes on from there when it is asked for again; of several processes
    that ask for it, one makes it and the others wait.

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        count: number of attempts, one file each.
        seed: not negative.
        size: side of the pictures; those of Vision&Touch have 128.
        failing: share of the attempts in which a sensor fails for some time, for each sensor on its own.
        workers: processes; by default one per core, fewer for a small set. With one, all is done in this process.
        progress: show a progress bar.

    Returns:
        The folder, as the reader takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ImportError: MuJoCo or h5py is not installed; not for a set that is there.
        ValueError: a number is out of range.
        OSError: the set cannot be written, for example because the disk is full.
    """
    _check(count, seed, size, failing, workers)
    settings = {"version": VERSION, "count": count, "seed": seed, "size": size, "failing": failing}
    root = Path(root)
    if is_there(root, settings):
        return root
    for name in ("mujoco", "h5py"):
        import_extra(name)
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if not is_there(root, settings):
            folder = root.with_name(f".{root.name}.unfinished")
            _begin(folder, settings)
            _make_all(folder, settings, workers, progress)
            if root.exists():
                root.rmdir()  # an empty folder, else it would not have come to this
            folder.replace(root)
    return root


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder of what is not finished; one of other settings goes."""
    try:
        same = read_json(folder / SETTINGS_FILE) == settings
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for partial_file in folder.glob("*.partial"):
        partial_file.unlink()
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")


def _path(folder: Path, number: int) -> Path:
    # Public readers find the number in front of eight characters.
    return folder / f"simulated_{number:05d}_1000.h5"


def _make_all(folder: Path, settings: dict[str, Any], workers: int | None, progress: bool) -> None:
    count = settings["count"]
    left = [number for number in range(count) if not _path(folder, number).exists()]
    chosen = {name: settings[name] for name in ("seed", "size", "failing")}
    for _ in made(partial(_write_one, folder=folder, **chosen), left, workers, STEPS, progress, done=count - len(left)):
        pass


def _write_one(number: int, *, folder: Path, seed: int, size: int, failing: float) -> None:
    """Write one attempt, whole or not at all."""
    rng = np.random.default_rng([seed, number])
    task = sample_task(rng)
    episode = simulate(task, rng)
    painter = Painter(task, sample_view(task.sides, size, rng))
    drawn = [painter.draw(pose, rng) for pose in episode.pose]
    arrays = _arrays(episode, np.stack([one[0] for one in drawn]), np.stack([one[1] for one in drawn])[..., None])
    if failing:
        arrays["failed"] = fail_in_file(arrays, failing, np.random.default_rng([seed, number, FAULTS]))
    path = _path(folder, number)
    partial_file = path.with_suffix(".partial")
    with import_extra("h5py").File(partial_file, "w") as file:
        for name, value in arrays.items():
            large = name in (DATASETS[RGB], DATASETS[DEPTH])
            packed = {"chunks": (1, *value.shape[1:]), "compression": "gzip", "compression_opts": 1, "shuffle": True}
            file.create_dataset(name, data=value, **(packed if large else {}))
    partial_file.replace(path)


def _arrays(episode: Episode, image: NDArray[np.uint8], depth: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return what a file holds, by Vision&Touch's names; optical flow and joints are left out."""
    yaw = np.stack([np.cos(episode.pose[:, 3] / 2), *[np.zeros(STEPS)] * 2, np.sin(episode.pose[:, 3] / 2)], axis=1)
    arrays: dict[str, NDArray[Any]] = {
        DATASETS[RGB]: image,
        DATASETS[DEPTH]: depth,
        DATASETS[FORCE]: episode.forces,
        "action": episode.action,
        "contact": episode.contact,
        "ee_pos": episode.pose[:, :3],
        "ee_ori": yaw,
        "ee_vel": episode.velocity[:, :3],
        "proprio": np.concatenate([episode.pose, episode.velocity], axis=1),
    }
    return {n: v.astype(np.float32) if v.dtype == np.float64 else v for n, v in arrays.items()}


def _check(count: int, seed: int, size: int, failing: float, workers: int | None) -> None:
    if count < 1 or (workers is not None and workers < 1):
        raise ValueError(f"expected at least one attempt and one process, got {count} and {workers}")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")
    if size < LEAST_SIDE:
        raise ValueError(f"expected pictures of at least {LEAST_SIDE} pixels a side, got {size}")
    checked_share("attempts in which a sensor fails", failing)
