"""Both layouts: what is read, what is left out and told, and the index."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from food_factory import LINES, picture, recipe1m, yummly

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.food import recipe1m as recipe1m_reader
from pyro_mmvae.food.dataset import Food
from pyro_mmvae.food.index import RecipeIndex, open_index
from pyro_mmvae.food.pictures import PictureOptions
from pyro_mmvae.food.vocabulary import Vocabulary

OPTIONS = PictureOptions((48, 36), 32)


def names_of(index, row):
    return {index.names[i].decode() for i in index.foods_of(row)}


def food(root, index, **options):
    vocabulary = Vocabulary.of(index.counts(range(index.size)), least=1)
    return Food(root, index, vocabulary, range(index.size), OPTIONS, **options)


def test_yummly(tmp_path):
    index = open_index(yummly(tmp_path / "set"), "yummly28k", tmp_path / "kept")
    assert index.ids.tolist() == [b"00001", b"00002", b"00003", b"00004"]
    assert (index.split == 3).all()
    assert names_of(index, 0) == {"tomatoes", "salt", "black pepper"}
    assert index.images_of(1) == ["images27638/img00002.jpg"]
    assert index.counts([0, 2])["salt"] == 2


@pytest.mark.parametrize("detected", [False, True])
def test_recipe1m(tmp_path, detected):
    root = recipe1m(tmp_path / "set", detected=detected)
    index = open_index(root, "recipe1m", tmp_path / "kept")
    assert index.split.tolist() == [0, 0, 1, 2]
    assert index.rows("train").tolist() == [0, 1]
    assert names_of(index, 1) == ({"egg"} if detected else {"tomato", "salt"})
    assert index.images_of(3) == [f"images/test/0/0/0/0/0000000003{k}.jpg" for k in "ab"]


def test_bad_recipes_are_counted_and_told(tmp_path):
    root = yummly(tmp_path / "set", [*LINES, ["salt"], [], ["1 cup"], "salt", ["salt"]])
    (root / "images27638/img00005.jpg").unlink()
    (root / "metadata27638/meta00009.json").write_text('{"ingredientLines": [')
    (root / "metadata27638/meta00010.json").write_text("[" * 100_000)
    (root / "metadata27638/notes.txt").write_text("")
    for _ in range(2):  # made, and opened again
        with pytest.warns(UserWarning, match="6 recipes left out") as told:
            index = open_index(root, "yummly28k", tmp_path / "kept")
        assert index.size == 4
        assert index.told["counts"] == {"without an image": 1, "without ingredients": 2, "broken JSON": 3}
        assert "img00005.jpg" in str(told[0].message)


def test_bad_recipes_of_recipe1m(tmp_path):
    root = recipe1m(tmp_path / "set")
    layer1 = json.loads((root / "layer1.json").read_text())
    more = [layer1[0], 7, {"id": "x", "partition": "dev"}, {"id": "y", "partition": "train"}]
    more.append({"id": "z", "partition": "train", "ingredients": [{"text": "salt"}]})
    (root / "layer1.json").write_text(json.dumps([*layer1, *more])[:-1])  # breaks off
    with pytest.warns(UserWarning, match="set") as told:
        index = open_index(root, "recipe1m", tmp_path / "kept")
    assert index.size == 4
    assert index.told["counts"] == {
        **{"there twice": 1, "broken JSON": 2, "of no split": 1, "without ingredients": 1, "without an image": 1}
    }
    assert any("is damaged after 9 entries" in str(one.message) for one in told)


def test_a_recipe_beyond_all_measure_is_refused(tmp_path):
    root = recipe1m(tmp_path / "set")
    layer1 = json.loads((root / "layer1.json").read_text())
    layer1[2]["title"] = "x" * (2 * recipe1m_reader.MAX_RECIPE)
    (root / "layer1.json").write_text(json.dumps(layer1))
    log = SkipLog("recipes")
    with pytest.warns(UserWarning, match="a single recipe has more than"):
        assert len(list(recipe1m_reader.recipes(root, log))) == 2


def test_names_of_pictures_stay_inside_the_folder(tmp_path):
    root = recipe1m(tmp_path / "set")
    content = [{"id": f"{0:010x}", "images": [{"id": "../../../secret.jpg"}, {"id": 3}, "x"]}]
    (root / "layer2.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="expected recipes with pictures and ingredients, got none"):
        open_index(root, "recipe1m", tmp_path / "kept")


def test_an_index_is_made_anew_when_the_files_change(tmp_path):
    root = recipe1m(tmp_path / "set")
    assert open_index(root, "recipe1m", tmp_path / "kept").size == 4
    layer1 = json.loads((root / "layer1.json").read_text())
    (root / "layer1.json").write_text(json.dumps(layer1[:3]))
    assert open_index(root, "recipe1m", tmp_path / "kept").size == 3


def test_a_damaged_index_is_refused(tmp_path):
    open_index(yummly(tmp_path / "set"), "yummly28k", tmp_path / "kept")
    (path,) = (tmp_path / "kept").glob("*.npz")
    index = RecipeIndex.load(path)
    index._replace(foods=index.foods + 100).save(path)
    with pytest.raises(ValueError, match="names foods that it does not have"):
        open_index(tmp_path / "set", "yummly28k", tmp_path / "kept")
    index._replace(food_ends=index.food_ends[::-1]).save(path)
    with pytest.raises(ValueError, match="do not fit its pictures and foods"):
        RecipeIndex.load(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"\.npz"):
        RecipeIndex.load(path)


@pytest.mark.parametrize("dataset", ["yummly28k", "recipe1m"])
def test_a_folder_that_is_no_set_is_refused(tmp_path, dataset):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="layout"):
            open_index(root, dataset, tmp_path / "kept")


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected one of yummly28k, recipe1m"):
        open_index(tmp_path, "cookpad", tmp_path)


def test_batches_are_pictures_with_their_ingredients(tmp_path):
    root = yummly(tmp_path / "set")
    index = open_index(root, "yummly28k", tmp_path / "kept")
    samples = food(root, index)
    batch = samples.batch(Draws(torch.arange(4))).batch
    assert batch.data["image"].shape == (4, 3, 32, 32)
    for row, target in enumerate(batch.data["ingredients"]):
        there = {samples.vocabulary.names[i] for i in target.nonzero().flatten().tolist()}
        assert there == {samples.vocabulary.names[samples.vocabulary.places[n]] for n in names_of(index, row)}


@pytest.mark.parametrize("preload", [False, True])
def test_pictures_of_other_modes_are_colours_and_broken_ones_are_left_out(tmp_path, preload):
    root = yummly(tmp_path / "set")
    images = root / "images27638"
    picture(images / "img00001.png", 1, mode="P")
    (images / "img00001.png").replace(images / "img00001.jpg")
    picture(images / "img00002.jpg", 1, mode="CMYK")
    (images / "img00003.jpg").write_bytes(b"\xff\xd8 damaged")
    index = open_index(root, "yummly28k", tmp_path / "kept")
    samples = food(root, index, preload=preload)
    found = samples.batch(Draws(torch.arange(4)))
    assert found.rows.tolist() == [0, 3]
    assert [name for name, _ in found.skipped] == ["00002", "00003"]
    assert samples.drop_unreadable().total() == 2
    assert len(samples) == 2


def test_recipes_without_an_ingredient_of_the_vocabulary_are_left_out_and_counted(tmp_path):
    root = yummly(tmp_path / "set")
    index = open_index(root, "yummly28k", tmp_path / "kept")
    samples = Food(root, index, Vocabulary.of({"garlic": 5}, least=1), range(4), OPTIONS)
    assert (len(samples), samples.without_ingredients) == (2, 2)
    with pytest.raises(ValueError, match="got none of 4"):
        Food(root, index, Vocabulary.of({"tofu": 5}, least=1), range(4), OPTIONS)


def test_augmentation_turns_flips_and_shifts(tmp_path):
    root = yummly(tmp_path / "set")
    index = open_index(root, "yummly28k", tmp_path / "kept")
    still = PictureOptions((48, 36), 36, flip=0.0, rotation=0.0)
    vocabulary = Vocabulary.of({"salt": 5, "garlic": 5}, least=1)
    plain = Food(root, index, vocabulary, range(4), still, augment=True)
    flipped = Food(root, index, vocabulary, range(4), still._replace(flip=1.0), augment=True)
    draws = Draws(torch.arange(4), 3)
    assert torch.equal(plain.batch(draws).batch.data["image"].flip(-1), flipped.batch(draws).batch.data["image"])
    other = plain.batch(Draws(torch.arange(4), 4)).batch.data["image"]  # shifted
    assert not torch.equal(plain.batch(draws).batch.data["image"], other)
    turned = Food(root, index, vocabulary, range(4), still._replace(rotation=10.0), augment=True)
    assert not torch.equal(plain.batch(draws).batch.data["image"], turned.batch(draws).batch.data["image"])


@pytest.mark.parametrize("options", [{"crop": 40}, {"flip": 1.5}, {"rotation": np.inf}, {"crop": 0}, {"size": 16}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        OPTIONS._replace(**options).check()
