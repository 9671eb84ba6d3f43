"""Writes a synthetic set of any size in RHD's own files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pyro_mmvae.data.making import SETTINGS_FILE as SETTINGS_FILE
from pyro_mmvae.data.making import check_numbers, is_there, made, make_set
from pyro_mmvae.hands.rhd_format import SPLITS, encode_depth, sample_paths, write_annotations
from pyro_mmvae.rendering.render import renderer_named

from .scene import sample_scene

VERSION = 1  # raise it when the same settings would give other pictures
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


def _render(folder: Path, settings: dict, renderer: str, workers: int | None, progress: bool) -> None:
    counts = dict(zip(SPLITS, (settings["num_train"], settings["num_eval"]), strict=True))
    tasks = [(split, index) for split in SPLITS for index in range(counts[split])]
    annotations: dict[str, dict[int, Annotation]] = {split: {} for split in SPLITS}
    job = partial(_write_one, root=folder, seed=settings["seed"], renderer=renderer, image_size=settings["image_size"])
    for split, index, annotation in made(job, tasks, workers, 1, progress):
        annotations[split][index] = annotation
    for split in SPLITS:
        write_annotations(folder, split, annotations[split])


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
    check_numbers(num_train, num_eval, seed, workers)
    if image_size < 32:
        raise ValueError(f"expected an image size of at least 32 pixels, got {image_size}")
    settings = {
        "version": VERSION,
        "num_train": num_train,
        "num_eval": num_eval,
        "seed": seed,
        "image_size": image_size,
    }
    root = Path(root)
    if is_there(root, settings):
        return root
    renderer_named(renderer)  # a missing extra is said here, not by a worker
    return make_set(root, settings, lambda folder: _render(folder, settings, renderer, workers, progress))
