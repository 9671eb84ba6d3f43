"""Recipes of a run: a folder in a published layout, or synthetic plates made on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.split import count_of, hold_out, permutation
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.experiments.food.config import CLASSIFIED, SYNTHETIC_SIZE, Config
from pyro_mmvae.experiments.food.features import Extractor
from pyro_mmvae.food.dataset import IMAGE, INGREDIENTS, Food, FoodBatch
from pyro_mmvae.food.index import NO_SPLIT, RecipeIndex, open_index
from pyro_mmvae.food.pictures import PictureOptions
from pyro_mmvae.food.synthetic import generate
from pyro_mmvae.food.vectors import FoodVectors, Range
from pyro_mmvae.food.vocabulary import Vocabulary

TEST_SHARE = 0.15
"""Of Yummly-28K, as the paper splits it: at random. Which ones is not printed; ours are the same in every run."""
VOCABULARY = "vocabulary.json"
AnyFood = Food | FoodVectors
_CHOICE = 11
"""Key that keeps the choice of training recipes apart from other random choices."""


class Recipes:
    """Index, splits and vocabulary of a run's recipes.

    Args:
        config: of the run.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def root(self) -> Path:
        """The folder of the set, made if it is the synthetic one."""
        config = self.config
        if config.data is not None:
            return config.data
        size = (config.picture_size or SYNTHETIC_SIZE)[:2]
        width, height = size if len(size) == 2 else (size[0], size[0])
        name = f"{config.synthetic_recipes}-{width}x{height}"
        return generate(config.synthetic / name, config.synthetic_recipes, size=(width, height))

    @cached_property
    def index(self) -> RecipeIndex:
        """All recipes that can be used."""
        return open_index(self.root, self.config.dataset, self.config.index)

    @cached_property
    def splits(self) -> dict[str, list[int]]:
        """Rows of the index to train on, held out from that, and to test on."""
        config, index = self.config, self.index
        if (index.split == NO_SPLIT).all():
            train, test = hold_out(range(index.size), TEST_SHARE, seed=0)
            held_out: list[int] = []
        else:
            train, held_out, test = (index.rows(split).tolist() for split in ("train", "val", "test"))
        order = permutation(len(train), config.seed, _CHOICE)[: count_of(config.samples, len(train))]
        train = [train[i] for i in order.sort().values.tolist()]
        if not held_out:
            train, held_out = hold_out(train, config.validation, config.seed, least=config.num_processes)
        return {"training": train, "held_out": held_out, "test": test}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """That of the run folder, or one of the training recipes."""
        config = self.config
        if (path := config.run / VOCABULARY).is_file():
            return Vocabulary.load(path)
        counts = self.index.counts(self.splits["training"])
        return Vocabulary.of(counts, least=config.least, size=config.vocabulary_size)

    def keep_vocabulary(self) -> None:
        """Save the vocabulary with the run."""
        path = self.config.run / VOCABULARY
        if not path.is_file():
            self.vocabulary.save(path)

    @cached_property
    def extractor(self) -> Extractor:
        """What makes feature vectors of pictures."""
        config = self.config
        assert config.features is not None
        found = Extractor.of(config.features, config.crop)
        found.encoder.to("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
        return found

    def vectors(self, split: str, range: Range | None = None) -> FoodVectors:
        """Return the recipes of a split as feature vectors."""
        return FoodVectors(self.part(split), self.extractor.encoder, range)

    def part(self, split: str, augment: bool = False) -> Food:
        """Return the recipes of a split."""
        config = self.config
        size = config.picture_size or SYNTHETIC_SIZE
        shown = (size[0], size[1]) if len(size) == 2 else size[0]
        options = PictureOptions(shown, config.crop, config.flip, config.rotation)
        names = (INGREDIENTS, CLASSIFIED) if config.classifier_epochs else (INGREDIENTS,)
        preload = config.preload and config.features is None  # vectors are made of every picture once
        chosen: dict[str, Any] = {"augment": augment, "seed": config.seed, "preload": preload, "names": names}
        return Food(self.root, self.index, self.vocabulary, self.splits[split], options, **chosen)


class FoodData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.
        recipes: of it.
    """

    def __init__(self, config: Config, recipes: Recipes) -> None:
        super().__init__()
        self.config, self.recipes = config, recipes
        recipes.keep_vocabulary()

    @cached_property
    def train(self) -> AnyFood:
        """Recipes to train on, augmented unless they are vectors."""
        return self.recipes.vectors("training") if self.config.features else self.recipes.part("training", augment=True)

    @cached_property
    def held_out(self) -> AnyFood:
        """Recipes held out from training, by which thresholds are chosen."""
        return self._still("held_out")

    @cached_property
    def samples(self) -> AnyFood:
        """Recipes that results are of."""
        return self.held_out if self.config.judge == "validation" else self._still("test")

    def _still(self, split: str) -> AnyFood:
        if isinstance(self.train, FoodVectors):
            return self.recipes.vectors(split, self.train.range)
        return self.recipes.part(split)

    def pictures(self, count: int) -> Tensor:
        """Return the pictures of the first judged recipes, shape `(count, 3, S, S)`."""
        samples, draws = self.samples, Draws(torch.arange(min(count, len(self.samples))))
        made = samples.pictures(draws) if isinstance(samples, FoodVectors) else samples.batch(draws)
        return made.batch.data[IMAGE]

    @cached_property
    def varied(self) -> Food:
        """The same, augmented, for test-time augmentation."""
        return self.recipes.part("held_out" if self.config.judge == "validation" else "test", augment=True)

    def counts(self) -> dict[str, int]:
        """Return the number of recipes in each split."""
        return {"training": len(self.train), "held_out": len(self.held_out), "judged": len(self.samples)}

    def without_ingredients(self) -> dict[str, int]:
        """Return in each split the number of recipes that are left out, as the vocabulary has none of theirs."""
        parts = {"training": self.train, "held_out": self.held_out, "judged": self.samples}
        return {name: part.without_ingredients for name, part in parts.items()}

    def describe(self) -> str:
        """Return where the recipes are from and how many there are."""
        kind = "recipes in" if self.config.data else "synthetic recipes in"
        counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in self.counts().items())
        left_out = sum(self.without_ingredients().values())
        source = f"; {self.recipes.extractor.title}" if self.config.features else ""
        more = f" ({left_out} recipes without any of them are left out)" if left_out else ""
        return f"{kind} {self.recipes.root}: {counts}; {len(self.recipes.vocabulary)} ingredients{more}{source}"

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[FoodBatch]:
        """Return shuffled, augmented batches."""
        return self.loader(self.train, shuffle=True, trainer=self.trainer)

    def val_dataloader(self) -> DataLoader[FoodBatch]:
        """Return the held-out batches."""
        return self.loader(self.held_out, trainer=self.trainer)

    def loader(
        self, samples: AnyFood, shuffle: bool = False, trainer: lightning.Trainer | None = None
    ) -> DataLoader[FoodBatch]:
        """Return a loader with the run's workers."""
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        options: dict[str, Any] = {"seed": config.seed, "workers": config.workers, "pin_memory": pinned}
        return make_loader(samples, config.batch_size, shuffle=shuffle, trainer=trainer, **options)

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged recipes, or the first ones; see `RunData`."""
        left = len(self.samples) if samples is None else samples
        for item in self.loader(self.samples):
            if (batch := item.batch[:left]).size:
                yield batch
            if (left := left - batch.size) <= 0:
                return

    def training_targets(self) -> Tensor:
        """Return the ingredients of the training recipes, zeros and ones, shape `(N, C)`; of a large set a part."""
        rows = self.train.rows
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), 20_000)).astype(int)]
        return self.train.targets(chosen)
