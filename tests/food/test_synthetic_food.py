"""Synthetic recipes: layout, determinism, going on, and what can be read from them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from pyro_mmvae.data.making import SETTINGS_FILE
from pyro_mmvae.food.index import open_index
from pyro_mmvae.food.synthetic import INGREDIENTS, draw_plate, generate, sample_dish
from pyro_mmvae.food.synthetic import dataset as module
from pyro_mmvae.food.synthetic.__main__ import main
from pyro_mmvae.food.vocabulary import Vocabulary

SIZE = (48, 36)


def make(root, count=6, seed=0, workers=1):
    return generate(root, count, seed, size=SIZE, workers=workers, progress=False)


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_vocabulary_of_its_lines_is_what_is_on_the_plates(tmp_path):
    root = make(tmp_path / "food", 250)
    index = open_index(root, "yummly28k", tmp_path / "kept")
    vocabulary = Vocabulary.of(index.counts(range(index.size)), least=3)
    known = {name: i.name for i in INGREDIENTS for name in (i.name, i.plural)}
    assert {known[name] for name in vocabulary.names} == {i.name for i in INGREDIENTS}
    for row in range(index.size):
        content = json.loads((root / f"metadata250/meta{index.ids[row].decode()}.json").read_text())
        found = {known[vocabulary.names[vocabulary.places[index.names[i].decode()]]] for i in index.foods_of(row)}
        assert found == set(content["synthetic"])


def test_it_does_not_depend_on_processes_or_size(tmp_path):
    one, two, more = make(tmp_path / "a"), make(tmp_path / "b", workers=2), make(tmp_path / "c", 8)
    assert digest(one) == digest(two)
    smaller = {name: value for name, value in digest(one).items() if name != SETTINGS_FILE}
    assert smaller.items() <= digest(more).items()
    assert digest(make(tmp_path / "d", seed=1)) != digest(one)


def test_a_stopped_set_goes_on(tmp_path, monkeypatch):
    whole = digest(make(tmp_path / "whole"))
    write, written = module._write_one, []

    def stops(number, **options):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(number)
        write(number, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_one", stops)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "cut")
    assert not (tmp_path / "cut").exists()
    drawn = []
    monkeypatch.setattr(
        module, "_write_one", lambda number, **options: (drawn.append(number), write(number, **options))
    )
    assert digest(make(tmp_path / "cut")) == whole
    assert drawn == [4, 5, 6]
    make(tmp_path / "cut")
    assert drawn == [4, 5, 6]


def test_other_sets_and_other_things_are_left_alone(tmp_path):
    make(tmp_path / "food")
    with pytest.raises(FileExistsError, match="other settings"):
        make(tmp_path / "food", seed=3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("")
    with pytest.raises(FileExistsError, match="holds no finished synthetic set"):
        make(tmp_path / "mine")


@pytest.mark.parametrize("options", [{"count": 0}, {"seed": -1}, {"size": (8, 8)}, {"workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="expected"):
        generate(tmp_path / "food", **{"count": 3, "size": SIZE, **options})
    assert not list(tmp_path.iterdir())


def test_every_ingredient_that_can_be_seen_changes_the_picture():
    empty = draw_plate([], SIZE, np.random.default_rng(0)).astype(int)
    for ingredient in INGREDIENTS:
        found = draw_plate([ingredient.name], SIZE, np.random.default_rng(0)).astype(int)
        assert (np.abs(found - empty).mean() > 0.5) == bool(ingredient.shape), ingredient.name


def test_knowing_some_ingredients_says_something_of_others():
    dishes = [set(sample_dish(np.random.default_rng([1, i])).ingredients) for i in range(600)]
    rice = [dish for dish in dishes if "rice" in dish]
    share = sum("soy sauce" in dish for dish in dishes) / len(dishes)
    assert sum("soy sauce" in dish for dish in rice) / len(rice) > 2 * share


def test_command_line(tmp_path, capsys):
    words = ["--out", str(tmp_path / "food"), "--count", "4", "--size", "48", "36", "--quiet"]
    assert main([*words, "--preview", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").is_file()
    assert main([*words[:2], "--count", "0"]) == 1
    assert "error: expected at least one recipe" in capsys.readouterr().err
