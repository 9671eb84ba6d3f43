"""Writes a synthetic set of any size in Yummly-28K's files."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyro_mmvae.data.making import made, make_on
from pyro_mmvae.food.yummly import sample_paths

from .menu import INGREDIENTS, Dish, sample_dish
from .plate import draw_plate

VERSION = 1  # raise it when the same settings would give another set
MIN_SIDE = 24


def generate(
    root: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    size: tuple[int, int] = (360, 240),
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Make a synthetic set of recipes, unless it is there already.

    Recipe i depends on seed and i alone: a larger set begins with the smaller one, and the number of processes changes
    nothing. The set is made in a hidden folder beside `root`, `.NAME.unfinished`, and gets its name when it is
    complete. Stopped or killed at any moment, it goes on from there when it is asked for again; of several processes
    that ask for it, one makes it and the others wait.

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        count: number of recipes.
        seed: not negative.
        size: width and height of the pictures; most of Yummly's have 360 x 240.
        workers: processes; by default one per core, fewer for a small set. With one, all is done in this process.
        progress: show a progress bar.

    Returns:
        The folder, as the Yummly reader takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ValueError: a number is out of range.
        OSError: the set cannot be written, for example because the disk is full.
    """
    _check(count, seed, size, workers)
    settings = {"version": VERSION, "count": count, "seed": seed, "size": list(size)}
    return make_on(Path(root), settings, partial(_draw_all, settings=settings, workers=workers, progress=progress))


def _folders(folder: Path, count: int) -> tuple[Path, Path]:
    return folder / f"metadata{count}", folder / f"images{count}"


def _draw_all(folder: Path, settings: dict[str, Any], workers: int | None, progress: bool) -> None:
    count = settings["count"]
    metadata, images = _folders(folder, count)
    for made_in in (metadata, images):
        made_in.mkdir(exist_ok=True)
    there = {entry.name for entry in os.scandir(metadata)}
    left = [i for i in range(1, count + 1) if sample_paths(metadata, metadata, i)[0].name not in there]
    job = partial(_write_one, folders=_folders(folder, count), seed=settings["seed"], size=tuple(settings["size"]))
    for _ in made(job, left, workers, 1, progress, done=count - len(left)):
        pass


def _write_one(number: int, *, folders: tuple[Path, Path], seed: int, size: tuple[int, int]) -> None:
    """Write picture, then recipe: a recipe that is there is whole, and its picture with it."""
    rng = np.random.default_rng([seed, number])
    dish = sample_dish(rng)
    recipe, image = sample_paths(*folders, number)
    Image.fromarray(draw_plate(dish.ingredients, size, rng)).save(image, quality=90)
    partial_recipe = recipe.with_suffix(".partial")
    partial_recipe.write_text(json.dumps(_recipe(number, dish), indent=1) + "\n")
    partial_recipe.replace(recipe)


def _recipe(number: int, dish: Dish) -> dict[str, Any]:
    """Return a recipe with keys of Yummly's, and what is on the plate in our own words as `synthetic`."""
    shown = [i.name for i in INGREDIENTS if i.name in dish.ingredients and i.shape]
    return {
        "id": f"synthetic-{number:05d}",
        "name": f"{dish.cuisine} plate with {' and '.join(shown[:2])}",
        "ingredientLines": list(dish.lines),
        "attributes": {"cuisine": [dish.cuisine]},
        "synthetic": list(dish.ingredients),
    }


def _check(count: int, seed: int, size: tuple[int, int], workers: int | None) -> None:
    if count < 1 or (workers is not None and workers < 1):
        raise ValueError(f"expected at least one recipe and one process, got {count} and {workers}")
    if seed < 0:
        raise ValueError(f"expected a seed that is not negative, got {seed}")
    if len(size) != 2 or min(size) < MIN_SIDE:
        raise ValueError(f"expected pictures of at least {MIN_SIDE} x {MIN_SIDE} pixels, got {size}")
