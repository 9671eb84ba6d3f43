"""Recipes as feature vectors: of the right pictures, scaled by the training samples."""

from __future__ import annotations

import pytest
import torch
from food_factory import yummly
from torch import nn

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.food.dataset import Food
from pyro_mmvae.food.index import open_index
from pyro_mmvae.food.pictures import PictureOptions
from pyro_mmvae.food.vectors import FoodVectors, Range
from pyro_mmvae.food.vocabulary import Vocabulary


class Means(nn.Module):
    """Mean colours, and a constant."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images):
        means = images.mean((-2, -1)) * self.weight
        return torch.cat([means, torch.ones_like(means[:, :1])], 1)


def food(root, **options):
    index = open_index(root, "yummly28k", root / "kept")
    vocabulary = Vocabulary.of(index.counts(range(index.size)), least=1)
    return Food(root, index, vocabulary, range(index.size), PictureOptions((40, 36), 32), **options)


def test_vectors_are_what_the_network_makes_of_the_centres_scaled_to_one(tmp_path):
    recipes = food(yummly(tmp_path / "set"), names=("ingredients", "classified"))
    found = FoodVectors(recipes, Means(), batch_size=3)
    chosen = Draws(torch.tensor([2, 0]), epoch=5)
    batch, pictures = found.batch(chosen).batch, found.pictures(chosen).batch
    expected = found.range.scaled(Means()(pictures.data["image"]).detach())
    torch.testing.assert_close(batch.data["image"], expected)
    assert torch.equal(found.vectors.amin(0), torch.zeros(4))
    assert torch.equal(found.vectors.amax(0), torch.tensor([1.0, 1, 1, 0]))  # what does not vary is zero
    assert torch.equal(batch.data["ingredients"], pictures.data["ingredients"])
    assert torch.equal(batch.data["ingredients"], batch.data["classified"])
    assert torch.equal(found.targets(), recipes.targets())


def test_the_range_is_that_of_the_training_samples(tmp_path):
    recipes = food(yummly(tmp_path / "set"))
    given = Range(torch.full((4,), 0.25), torch.tensor([0.5, 0.75, 1.25, 0.25]))
    own, other = FoodVectors(recipes, Means()), FoodVectors(recipes, Means(), given)
    raw = own.range.low + own.vectors * (own.range.high - own.range.low)
    torch.testing.assert_close(other.vectors[:, :3], (raw[:, :3] - 0.25) / torch.tensor([0.25, 0.5, 1.0]))
    assert (other.vectors[:, 3] == 0).all()


def test_recipes_without_a_readable_picture_are_left_out(tmp_path):
    root = yummly(tmp_path / "set")
    (root / "images27638/img00002.jpg").write_bytes(b"nothing")
    recipes = food(root)
    found = FoodVectors(recipes, Means(), batch_size=2)
    assert (len(found), found.skipped) == (3, 1)
    draws = Draws(torch.arange(3))
    batch, pictures = found.batch(draws), found.pictures(draws)
    assert batch.rows.tolist() == pictures.rows.tolist() == [0, 2, 3]
    torch.testing.assert_close(batch.batch.data["image"], found.range.scaled(Means()(pictures.batch.data["image"])))
    for path in (root / "images27638").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of the pictures of 4 recipes"):
        FoodVectors(food(root), Means())
