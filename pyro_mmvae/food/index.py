"""Recipes of a set in a few arrays: made once, opened again in seconds, however many there are."""

from __future__ import annotations

import hashlib
import json
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.npz import read_npz
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.files import made_once
from pyro_mmvae.food import recipe1m, yummly
from pyro_mmvae.food.lines import foods
from pyro_mmvae.food.recipe import NO_INGREDIENTS, Recipe

Dataset = Literal["yummly28k", "recipe1m"]
VERSION = 1
"""Raise it when the same files would give another index."""
SPLITS = ("train", "val", "test")
NO_SPLIT = len(SPLITS)

_READERS = {"yummly28k": yummly, "recipe1m": recipe1m}
_ARRAYS = ("ids", "split", "images", "image_ends", "foods", "food_ends", "names", "told")


class RecipeIndex(NamedTuple):
    """N recipes, with what foods their lines name, before any vocabulary.

    Attributes:
        ids: names of recipes, bytes, shape `(N,)`.
        split: 0 "train", 1 "val", 2 "test", 3 where the set has none, shape `(N,)`.
        images: paths of all pictures, bytes, relative to the folder of the set.
        image_ends: where those of each recipe end, shape `(N,)`.
        foods: numbers of foods of all recipes.
        food_ends: where those of each recipe end, shape `(N,)`.
        names: of the foods, bytes.
        told: what was left out when the index was made, by reason, and in words.
    """

    ids: NDArray[Any]
    split: NDArray[np.uint8]
    images: NDArray[Any]
    image_ends: NDArray[np.int64]
    foods: NDArray[np.int32]
    food_ends: NDArray[np.int64]
    names: NDArray[Any]
    told: dict[str, Any]

    @classmethod
    def of(cls, recipes: Iterator[Recipe], log: SkipLog) -> RecipeIndex:
        """Index recipes; one whose lines name no food is counted and left out."""
        ids, split, images = [], array("B"), []
        numbers, food_ends, image_ends = array("i"), array("q"), array("q")
        known: dict[str, int] = {}
        parsed: dict[str, tuple[int, ...]] = {}
        for recipe in recipes:
            found = {number for line in recipe.lines for number in _numbers(line, known, parsed)}
            if not found:
                log.add(recipe.name, NO_INGREDIENTS, "its lines name no food")
                continue
            ids.append(recipe.name.encode())
            split.append(SPLITS.index(recipe.split) if recipe.split else NO_SPLIT)
            images += [image.encode() for image in recipe.images]
            image_ends.append(len(images))
            numbers.extend(sorted(found))
            food_ends.append(len(numbers))
        told = {"counts": dict(log.counts), "text": str(log)}
        names = [name.encode() for name in known]
        return cls(
            np.array(ids, np.bytes_),
            np.array(split, np.uint8),
            np.array(images, np.bytes_),
            np.array(image_ends, np.int64),
            np.array(numbers, np.int32),
            np.array(food_ends, np.int64),
            np.array(names, np.bytes_),
            told,
        )

    @property
    def size(self) -> int:
        """Number N of recipes."""
        return len(self.ids)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the recipes of a split."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def images_of(self, row: int) -> list[str]:
        """Return the paths of a recipe's pictures, relative to the folder of the set."""
        start = 0 if row == 0 else int(self.image_ends[row - 1])
        # An index is as little vouched for as other files: its paths stay inside the folder.
        return [
            image.decode(errors="replace").replace("..", "").lstrip("/")
            for image in self.images[start : int(self.image_ends[row])]
        ]

    def foods_of(self, row: int) -> NDArray[np.int32]:
        """Return the numbers of a recipe's foods."""
        start = 0 if row == 0 else int(self.food_ends[row - 1])
        return self.foods[start : int(self.food_ends[row])]

    def counts(self, rows: Sequence[int] | NDArray[np.int64]) -> Counter[str]:
        """Return in how many of some recipes each food is, those that are in none left out."""
        chosen = np.zeros(self.size, bool)
        chosen[np.asarray(rows, np.int64)] = True
        of = np.repeat(chosen, np.diff(self.food_ends, prepend=0))
        found = np.bincount(self.foods[of], minlength=len(self.names))
        return Counter({self.names[i].decode(): int(found[i]) for i in np.flatnonzero(found)})

    def save(self, path: Path) -> None:
        """Write it as `.npz`."""
        told = np.array(json.dumps(self.told).encode())
        with path.open("wb") as file:
            np.savez(file, **{**self._asdict(), "told": told}, allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> RecipeIndex:
        """Read what `save` has written.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or holds something else.
        """
        found = read_npz(path, lambda name: name in _ARRAYS)
        try:
            told = json.loads(bytes(found.pop("told").item()))
            index = cls(**found, told=told)
            _check(index)
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: this is no index of recipes, or it is damaged; remove it: {error}") from error
        return index


def open_index(root: str | Path, dataset: Dataset, kept: str | Path, *, check_images: bool = True) -> RecipeIndex:
    """Open the index of a set, making it first if it is not there or the set's files are others.

    What was left out when it was made is told in a warning every time.

    Args:
        root: folder of the set, in the published layout.
        dataset: which layout.
        kept: folder for indices. It holds nothing that cannot be made again.
        check_images: of Recipe1M: look whether every picture is there.

    Raises:
        FileNotFoundError: the set is not there.
        ValueError: there is no such layout, not one recipe can be used, or the index is damaged.
    """
    root = Path(root)
    if dataset not in _READERS:
        raise ValueError(f"dataset: expected one of {', '.join(_READERS)}, got {dataset!r}")
    key = _key(root, dataset, check_images)
    path = made_once(Path(kept) / f"{dataset}-{key}.npz", partial(_make, root, dataset, check_images))
    index = RecipeIndex.load(path)
    if index.told.get("counts"):
        warnings.warn(f"{root}: {index.told.get('text', '')}", stacklevel=2)
    return index


def _make(root: Path, dataset: Dataset, check_images: bool, path: Path) -> None:
    log = SkipLog("recipes")
    found: Callable[..., Iterator[Recipe]] = _READERS[dataset].recipes
    index = RecipeIndex.of(found(root, log, **({"check_images": check_images} if dataset == "recipe1m" else {})), log)
    if not index.size:
        raise ValueError(f"{root}: expected recipes with pictures and ingredients, got none; {log}")
    index.save(path)


def _key(root: Path, dataset: Dataset, check_images: bool) -> str:
    """Return what changes when the files of a set do."""
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _READERS[dataset].sources(root)]
    return hashlib.sha256(repr((VERSION, str(root.resolve()), states, check_images)).encode()).hexdigest()[:16]


def _numbers(line: str, known: dict[str, int], parsed: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the numbers of the foods in a line; many lines of a large set are the same."""
    if (found := parsed.get(line)) is None:
        found = tuple(known.setdefault(name[:100], len(known)) for name in foods(line))
        if len(parsed) < 500_000:
            parsed[line] = found
    return found


def _check(index: RecipeIndex) -> None:
    n = index.size
    if any(value.ndim != 1 for value in index[:7]) or any(len(v) != n for v in (index.split, *_ends(index))):
        raise ValueError("its arrays do not fit each other")
    kinds = "".join(value.dtype.kind for value in index[:7])
    if kinds != "SuSiiiS" or not isinstance(index.told, dict):
        raise ValueError("its arrays are of other types")
    for ends, values in zip(_ends(index), (index.images, index.foods), strict=True):
        if n and (np.diff(ends, prepend=0).min() < 1 or ends[-1] != len(values)):
            raise ValueError("its recipes do not fit its pictures and foods")
    if len(index.foods) and not 0 <= index.foods.min() <= index.foods.max() < len(index.names):
        raise ValueError("it names foods that it does not have")


def _ends(index: RecipeIndex) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return index.image_ends, index.food_ends
