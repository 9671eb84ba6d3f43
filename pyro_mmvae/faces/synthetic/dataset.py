"""Writes a synthetic set of any size in CelebA's files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pyro_mmvae.data.making import made, make_on
from pyro_mmvae.faces.archive import FOLDER
from pyro_mmvae.faces.attributes import ATTRIBUTES
from pyro_mmvae.faces.tables import ATTRIBUTE_FILE, LANDMARK_FILE, LANDMARKS, SPLIT_FILE
from pyro_mmvae.files import write_text

from .drawing import draw_face, landmarks_of
from .traits import Face, sample_face

VERSION = 1  # raise it when the same settings would give another set
_OF_TEN = (0, 0, 0, 0, 0, 0, 0, 0, 1, 2)
"""Splits of ten faces in turn; CelebA's shares are 80, 10 and 10 %."""
_DRAWN = 1


def generate(
    root: str | os.PathLike[str], count: int, seed: int = 0, *, workers: int | None = None, progress: bool = True
) -> Path:
    """Make a synthetic set of faces, unless it is there already.

    Face i depends on seed and i alone: a larger set begins with the smaller one, and the number of processes changes
    nothing. Stopped or killed at any moment, it goes on from there when it is asked for again; of several processes
    that ask for it, one makes it and the others wait (`pyro_mmvae.data.making.make_on`).

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        count: number of faces, of which 80 % are to train on, 10 % for validation and 10 % to test on.
        seed: not negative.
        workers: processes; by default one per core, fewer for a small set. With one, all is done in this process.
        progress: show a progress bar.

    Returns:
        The folder, as the reader of CelebA takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ValueError: a number is out of range.
        OSError: the set cannot be written, for example because the disk is full.
    """
    if count < len(_OF_TEN) or (workers is not None and workers < 1):
        raise ValueError(f"expected at least {len(_OF_TEN)} faces and one process, got {count} and {workers}")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")
    settings = {"version": VERSION, "count": count, "seed": seed}
    return make_on(Path(root), settings, partial(_fill, count=count, seed=seed, workers=workers, progress=progress))


def _fill(folder: Path, *, count: int, seed: int, workers: int | None, progress: bool) -> None:
    pictures = folder / FOLDER
    pictures.mkdir(exist_ok=True)
    there = {entry.name for entry in os.scandir(pictures)}
    left = [number for number in range(1, count + 1) if name_of(number) not in there]
    job = partial(_draw, folder=pictures, seed=seed)
    for _ in made(job, left, workers, 1, progress, done=count - len(left)):
        pass
    _write_tables(folder, [_face(seed, number) for number in range(1, count + 1)])


def name_of(number: int) -> str:
    """Return the name of a picture, the first of which is 1."""
    return f"{number:06d}.jpg"


def _face(seed: int, number: int) -> Face:
    return sample_face(np.random.default_rng([seed, number]))


def _draw(number: int, *, folder: Path, seed: int) -> None:
    """Write a picture: whole, or not at all."""
    picture, _ = draw_face(_face(seed, number), np.random.default_rng([seed, number, _DRAWN]))
    path = folder / name_of(number)
    partial_path = path.with_suffix(".partial")
    Image.fromarray(picture).save(partial_path, "JPEG", quality=92)
    partial_path.replace(path)


def _write_tables(folder: Path, faces: Sequence[Face]) -> None:
    """Write the text files as CelebA has them: attributes, landmarks, splits."""
    names = [name_of(number) for number in range(1, len(faces) + 1)]
    points = " ".join(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
    rows: dict[str, list[list[int]]] = {
        ATTRIBUTE_FILE: [face.line() for face in faces],
        LANDMARK_FILE: [landmarks_of(face).ravel().tolist() for face in faces],
        SPLIT_FILE: [[_OF_TEN[number % len(_OF_TEN)]] for number in range(len(faces))],
    }
    heads = {ATTRIBUTE_FILE: f"{len(faces)}\n{' '.join(ATTRIBUTES)}\n", LANDMARK_FILE: f"{len(faces)}\n{points}\n"}
    for file, values in rows.items():
        lines = (f"{name} {' '.join(map(str, row))}\n" for name, row in zip(names, values, strict=True))
        write_text(heads.get(file, "") + "".join(lines), folder / file)
