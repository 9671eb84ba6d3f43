"""Writes a synthetic set of any size in Sim2Real's own files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyro_mmvae.data.exr import write_exr
from pyro_mmvae.data.making import made, make_on
from pyro_mmvae.files import replace_file
from pyro_mmvae.surgical.layout import (
    COLOUR,
    DEPTH,
    INTRINSICS,
    MASK,
    SCENES,
    View,
    encode_mask,
    scene_folder,
    view_path,
)

from .anatomy import anatomy
from .view import ASPECT, camera_matrix, sample_view

VERSION = 1  # raise it when the same settings would give another set
MIN_WIDTH = 64


def generate(
    root: str | os.PathLike[str],
    views: int,
    seed: int = 0,
    *,
    width: int = 512,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Make a synthetic set of seven scenes, unless it is there already.

    A view depends on seed, scene and number alone: a larger set begins with the smaller one, and the number of
    processes changes nothing. A set that was stopped goes on where it was; of several processes that ask for it one
    makes it (`pyro_mmvae.data.making.make_on`).

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        views: of each scene; the published set has 3,000.
        seed: not negative.
        width: of the pictures, even; the height is half of it. The published ones have 512 x 256.
        workers: processes; by default one per core, fewer for a small set. With one, all is done in this process.
        progress: show a progress bar.

    Returns:
        The folder, as the reader takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ValueError: a number is out of range.
        OSError: the set cannot be written, for example because the disk is full.
    """
    _check(views, seed, width, workers)
    settings = {"version": VERSION, "views": views, "seed": seed, "width": width}
    return make_on(Path(root), settings, lambda folder: _fill(folder, settings, workers, progress))


def _fill(folder: Path, settings: dict[str, Any], workers: int | None, progress: bool) -> None:
    for scene in SCENES:
        for kind in (COLOUR, MASK, DEPTH):
            scene_folder(folder, kind, scene).mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / INTRINSICS, camera_matrix(settings["width"]), fmt="%.6f")
    every = [View(scene, number) for scene in SCENES for number in range(settings["views"])]
    left = [view for view in every if not view_path(folder, COLOUR, view).is_file()]
    job = partial(_write_one, root=folder, seed=settings["seed"], width=settings["width"])
    for _ in made(job, left, workers, 1, progress, done=len(every) - len(left)):
        pass


def _write_one(view: View, *, root: Path, seed: int, width: int) -> None:
    """Write mask, depth and then colour: a view whose colours are there is whole."""
    rng = np.random.default_rng([seed, *view])
    seen = sample_view(anatomy(seed, view.scene), rng, width)
    _write_png(encode_mask(seen.classes), view_path(root, MASK, view))
    write_exr(view_path(root, DEPTH, view), seen.depth.astype(np.float16))  # to a sixteenth of a millimetre
    _write_png(seen.colour, view_path(root, COLOUR, view))


def _write_png(picture: np.ndarray, path: Path) -> None:
    image = Image.fromarray(picture)
    replace_file(path, lambda partial_: image.save(partial_, format="PNG", compress_level=1))


def _check(views: int, seed: int, width: int, workers: int | None) -> None:
    if views < 1 or (workers is not None and workers < 1):
        raise ValueError(f"expected at least one view and one process, got {views} and {workers}")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")
    if width < MIN_WIDTH or width % ASPECT:
        raise ValueError(f"expected pictures of an even width of at least {MIN_WIDTH} pixels, got {width}")
