"""What lines name, and how names become ingredients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyro_mmvae.food.lines import MAX_LINE, foods
from pyro_mmvae.food.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("1/2 tsp. salt and black pepper", ("salt", "black pepper")),
        ("salt black pepper", ("salt", "black pepper")),
        ("2 (14.5 oz) cans diced tomatoes, undrained", ("tomatoes",)),
        ("1 cup chicken or vegetable broth", ("vegetable broth",)),
        ("2 tbsp. butter or margarine", ("butter",)),
        ("½ cup freshly grated Parmesan cheese", ("parmesan cheese",)),
        ("boneless, skinless chicken breasts", ("chicken breasts",)),
        ("kosher salt, to taste", ("kosher salt",)),
        ("2 bay leaves", ("bay leaf",)),
        ("fresh basil leaves, torn into pieces", ("basil",)),
        ("1 cup half and half", ("half and half",)),
        ("1 lb. ground beef", ("ground beef",)),
        ("1 teaspoon ground cumin", ("cumin",)),
        ("3 garlic cloves", ("garlic",)),
        ("1 pinch cloves", ("cloves",)),
        ("250g/9oz plain flour", ("flour",)),
        ("jalapeño peppers", ("jalapeno peppers",)),
        ("oil for frying", ("oil",)),
        ("1/4 cup all-purpose flour plus more for dusting", ("all-purpose flour",)),
        ("1 can", ()),
        ("1 kg", ()),
        ("", ()),
        ("(", ()),
    ],
)
def test_foods_of_lines(line, named):
    assert foods(line) == named


@given(st.text(max_size=2 * MAX_LINE))
def test_any_text_gives_plain_short_names_once_each(line):
    found = foods(line)
    assert len(set(found)) == len(found)
    assert all(name == name.strip().lower() and name.isascii() and name for name in found)


@given(st.sampled_from(["tomato", "black pepper", "olive oil", "egg"]), st.integers(1, 99))
def test_quantities_units_and_preparation_change_nothing(name, number):
    written = [name, f"{number} {name}", f"{number} cups {name}, chopped", f"({number} oz.) can finely diced {name}"]
    assert {foods(line) for line in written} == {(name,)}


def test_plurals_spellings_and_kinds_are_merged_and_rare_ones_dropped():
    counts = {
        **{"tomatoes": 60, "tomato": 40, "corn starch": 5, "cornstarch": 30, "parmesan cheese": 50},
        **{"parmesean cheese": 2, "salt": 90, "smoked salt": 1, "hummus": 12, "unicorn": 1},
        **{"black pepper": 50, "white pepper": 20},
    }
    found = Vocabulary.of(counts, least=10)
    assert found.names[:2] == ("tomatoes", "salt")
    assert dict(zip(found.names, found.counts, strict=True)) == {
        **{"tomatoes": 100, "salt": 91, "parmesan cheese": 52, "black pepper": 50},
        **{"cornstarch": 35, "white pepper": 20, "hummus": 12},
    }
    assert found.places["parmesean cheese"] == found.places["parmesan cheese"]
    assert found.dropped == 1
    assert found.in_line("1 large tomato, chopped") == ("tomatoes",)
    assert "(tomato)" in str(found)


def test_a_size_keeps_the_most_frequent():
    found = Vocabulary.of({"salt": 30, "rice": 20, "sea salt": 15, "tofu": 12}, least=10, size=2)
    assert found.names == ("salt", "rice")
    assert found.counts == (45, 20)


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(ValueError, match="the vocabulary is empty: none of 1 names"):
        Vocabulary.of({"salt": 3}, least=10)
    with pytest.raises(ValueError, match="at least 1"):
        Vocabulary.of({"salt": 3}, least=0)


def test_it_is_read_back_and_damage_is_refused(tmp_path):
    path = tmp_path / "vocabulary.json"
    found = Vocabulary.of({"salts": 3, "salt": 30, "rice": 20}, least=10)
    found.save(path)
    assert Vocabulary.load(path) == found
    for content in (
        "{",
        "[]",
        "{}",
        '{"names": ["a"], "counts": [1], "merged": {"b": 7}}',
        '{"names": [], "counts": [], "merged": {}}',
        '{"names": [1], "counts": [1], "merged": {}}',
        '{"names": ["a"], "counts": ["x"], "merged": {}}',
        '{"names": 3, "counts": [], "merged": 1}',
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"vocabulary\.json"):
            Vocabulary.load(path)
