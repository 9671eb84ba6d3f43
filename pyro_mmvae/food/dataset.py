"""Recipes as two modalities, picture and ingredients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.images import UnreadableImageError, read_colour
from pyro_mmvae.data.samples import Draw, Draws
from pyro_mmvae.food.index import RecipeIndex
from pyro_mmvae.food.pictures import PictureOptions, centre, resized, varied
from pyro_mmvae.food.vocabulary import Vocabulary

IMAGE, INGREDIENTS = "image", "ingredients"
MOST_PICTURES = 5
"""Pictures of a recipe that are used, the first ones (Salvador et al. 2019, arXiv:1812.06164)."""


class FoodBatch(NamedTuple):
    """A batch of recipes.

    Attributes:
        batch: "image" (B, 3, S, S) in [0, 1] and "ingredients" (B, C), zeros and ones; or as the set names them.
        rows: numbers of the recipes in the index, int64, shape `(B,)`.
        skipped: (id, reason) of recipes whose picture could not be read; they are no part of the batch.
    """

    batch: Batch
    rows: Tensor
    skipped: tuple[tuple[str, str], ...] = ()


class Food:
    """Recipes of a set, some of its rows, as pictures with the ingredients of a vocabulary.

    Recipes without any ingredient of the vocabulary are left out, and counted in `without_ingredients`. Pictures that
    cannot be read are found when they are; their recipes are left out of the batch.

    All randomness follows from seed, epoch and the recipe's number: which of several pictures of a recipe is taken,
    crop, turn and flip. Without augmentation the first picture is taken.

    Args:
        root: folder of the set, which pictures are relative to.
        index: of the set.
        vocabulary: of C ingredients.
        rows: of the index; those that are used.
        options: how pictures become squares.
        augment: vary them.
        seed: of what is random.
        preload: read all pictures now and keep them, in the size that crops are taken from.
        workers: threads that preload.
        names: of the modalities that are the ingredients; one, unless several networks decode them.

    Raises:
        ValueError: options that make no sense, or no recipe has an ingredient of the vocabulary.
    """

    def __init__(
        self,
        root: str | Path,
        index: RecipeIndex,
        vocabulary: Vocabulary,
        rows: Sequence[int] | NDArray[np.int64],
        options: PictureOptions | None = None,
        *,
        augment: bool = False,
        seed: int = 0,
        preload: bool = False,
        workers: int = 2,
        names: Sequence[str] = (INGREDIENTS,),
    ) -> None:
        self.names = tuple(names)
        self.root, self.index, self.vocabulary = Path(root), index, vocabulary
        self.options = PictureOptions() if options is None else options
        self.options.check()
        self.augment, self.seed = augment, seed
        places = vocabulary.places
        self._place = np.array([places.get(name.decode(errors="replace"), -1) for name in index.names], np.int64)
        wanted = np.asarray(rows, np.int64)
        kept = np.array([bool((self._place[index.foods_of(row)] >= 0).any()) for row in wanted.tolist()], bool)
        self.rows = wanted[kept] if len(wanted) else wanted
        self.without_ingredients = len(wanted) - len(self.rows)
        if not len(self.rows):
            raise ValueError(f"expected recipes with ingredients of the vocabulary, got none of {len(wanted)}")
        self._pictures: dict[str, Image.Image | UnreadableImageError] = {}
        if preload:
            self._preload(workers)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, draws: Draws) -> FoodBatch:
        """Return some recipes; see `FoodBatch`."""
        pictures: list[Tensor] = []
        rows: list[int] = []
        skipped: list[tuple[str, str]] = []
        for draw in draws.each():
            row = int(self.rows[draw.index])
            try:
                pictures.append(self._picture(row, draw))
                rows.append(row)
            except UnreadableImageError as error:
                skipped.append((self.index.ids[row].decode(errors="replace"), str(error)))
        side = self.options.crop
        image = torch.stack(pictures) if pictures else torch.zeros(0, 3, side, side)
        # Not Batch.of: nothing is missing, and looking for NaN again would take longer than cropping.
        seen = torch.ones(len(rows), dtype=torch.bool)
        data = {IMAGE: image, **self.labels(rows)}
        batch = Batch(data, dict.fromkeys(data, seen))
        return FoodBatch(batch, torch.tensor(rows, dtype=torch.int64), tuple(skipped))

    def labels(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return the ingredients of recipes under every name that they go by, each of shape `(N, C)`."""
        return dict.fromkeys(self.names, self.targets(rows))

    def targets(self, rows: Sequence[int] | NDArray[np.int64] | None = None) -> Tensor:
        """Return the ingredients of recipes, all of this set by default, zeros and ones, shape `(N, C)`."""
        wanted = self.rows.tolist() if rows is None else [int(row) for row in rows]
        places = (self._place[self.index.foods_of(row)] for row in wanted)
        return self.vocabulary.targets(place[place >= 0].tolist() for place in places)

    def drop_unreadable(self, workers: int = 2) -> Counter[str]:
        """Leave out recipes whose picture cannot be read now, rather than while training; return how many, and why."""
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            found = list(pool.map(lambda row: _tried(partial(self._first, row)), self.rows.tolist()))
        bad = [isinstance(one, UnreadableImageError) for one in found]
        self.rows = self.rows[~np.array(bad, bool)]
        return Counter(type(one).__name__ for one in found if isinstance(one, UnreadableImageError))

    def _picture(self, row: int, draw: Draw) -> Tensor:
        if not self.augment:
            return centre(self._first(row), self.options)
        rng = np.random.default_rng([self.seed, draw.epoch, row])
        paths = self.index.images_of(row)[:MOST_PICTURES]
        return varied(self._read(paths[int(rng.integers(len(paths)))]), self.options, rng)

    def _first(self, row: int) -> Image.Image:
        return self._read(self.index.images_of(row)[0])

    def _read(self, path: str) -> Image.Image:
        found = self._pictures.get(path)
        if isinstance(found, UnreadableImageError):
            raise found
        return self._decoded(path) if found is None else found

    def _decoded(self, path: str) -> Image.Image:
        return resized(read_colour(self.root / path), self.options.size)

    def _preload(self, workers: int) -> None:
        most = MOST_PICTURES if self.augment else 1
        paths = [path for row in self.rows.tolist() for path in self.index.images_of(row)[:most]]
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            read = pool.map(lambda path: _tried(partial(self._decoded, path)), paths)
            self._pictures = dict(zip(paths, read, strict=True))


def _tried(read: Callable[[], Image.Image]) -> Image.Image | UnreadableImageError:
    try:
        return read()
    except UnreadableImageError as error:
        return error
