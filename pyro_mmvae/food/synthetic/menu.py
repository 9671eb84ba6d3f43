"""What is cooked: ingredients with their looks, cuisines in which they go together, and lines that name them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]


class Ingredient(NamedTuple):
    """How an ingredient looks and is written.

    Attributes:
        name: in the singular.
        plural: as lines have it where it is counted.
        unit: of lines; empty where pieces are counted.
        shape: of its pieces; "" for what cannot be seen and is only known from what it goes with.
        colours: of the texture, darkest last.
        texture: of its pieces.
        size: half their length, in halves of the picture's shorter side.
        pieces: how many there are, from and to.
    """

    name: str
    plural: str
    unit: str
    shape: str
    colours: tuple[Colour, Colour]
    texture: str
    size: float
    pieces: tuple[int, int]


def _of(
    name: str, plural: str, unit: str, shape: str, one: str, other: str, texture: str, size: float, *pieces: int
) -> Ingredient:
    return Ingredient(name, plural, unit, shape, (_hex(one), _hex(other)), texture, size, (pieces[0], pieces[1]))


def _hex(colour: str) -> Colour:
    return (int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16))


INGREDIENTS: tuple[Ingredient, ...] = (
    # Beds, which lie at the bottom.
    _of("spaghetti", "spaghetti", "ounces", "strand", "f2d98b", "c9a64f", "lengthwise", 0.62, 16, 26),
    _of("rice", "rice", "cups", "grain", "fbf8ee", "d8d2bf", "plain", 0.075, 90, 150),
    _of("lettuce", "lettuce", "cups", "leaf", "9ccc52", "5f9a2c", "veins", 0.40, 5, 9),
    _of("tortilla", "tortillas", "", "disc", "ecd3a0", "b98a4a", "blotches", 0.60, 1, 2),
    # Large pieces.
    _of("salmon", "salmon", "pounds", "slab", "f58e6a", "fbc4a9", "stripes", 0.40, 1, 2),
    _of("chicken breast", "chicken breasts", "", "drop", "d9a066", "9b6534", "grill", 0.38, 1, 2),
    _of("ground beef", "ground beef", "pounds", "crumb", "7c4a33", "4b2a1c", "speckle", 0.075, 35, 60),
    _of("tofu", "tofu", "ounces", "square", "f7efdc", "d9c79f", "speckle", 0.13, 6, 11),
    _of("shrimp", "shrimp", "pounds", "crescent", "f8a58a", "e0603f", "rings", 0.16, 5, 9),
    _of("egg", "eggs", "", "disc", "fdfbf3", "f4a81c", "yolk", 0.21, 1, 3),
    # Smaller ones on top.
    _of("tomato", "tomatoes", "", "disc", "e0372c", "f59a83", "spokes", 0.17, 3, 6),
    _of("cucumber", "cucumbers", "", "disc", "d6edb3", "3f7f35", "rim", 0.15, 4, 8),
    _of("carrot", "carrots", "", "disc", "f58a1f", "c96510", "rings", 0.095, 6, 11),
    _of("red onion", "red onions", "", "ring", "a53a73", "efd7e6", "rings", 0.16, 3, 6),
    _of("black olive", "black olives", "cups", "ring", "2b2530", "57485c", "plain", 0.075, 7, 13),
    _of("mushroom", "mushrooms", "ounces", "cap", "d8c3a8", "a58463", "plain", 0.15, 4, 8),
    _of("bell pepper", "bell peppers", "", "crescent", "e8c31c", "b48a10", "plain", 0.20, 3, 6),
    _of("broccoli", "broccoli", "cups", "clover", "4d8f3a", "2b5f22", "speckle", 0.16, 4, 7),
    _of("black bean", "black beans", "cans", "bean", "33262e", "6d5a66", "plain", 0.065, 14, 26),
    _of("corn", "corn", "cups", "grain", "fbd93b", "d19f12", "plain", 0.055, 25, 45),
    _of("avocado", "avocados", "", "crescent", "c9dd7a", "4c7a2c", "rim", 0.22, 3, 5),
    _of("lemon", "lemons", "", "disc", "f9e64a", "fdf8cf", "spokes", 0.15, 1, 4),
    _of("mozzarella cheese", "mozzarella cheese", "cups", "blob", "fffdf5", "e9e2cc", "plain", 0.17, 3, 6),
    _of("basil", "basil", "cups", "leaf", "3f8f3f", "226022", "veins", 0.115, 4, 8),
    _of("sesame seed", "sesame seeds", "tablespoons", "grain", "f6ead0", "c9b27f", "plain", 0.030, 40, 70),
    _of("chive", "chives", "tablespoons", "strand", "4f9a3a", "2f6a22", "plain", 0.10, 14, 24),
    # What nobody sees.
    _of("salt", "salt", "teaspoons", "", "000000", "000000", "plain", 0.1, 0, 0),
    _of("olive oil", "olive oil", "tablespoons", "", "000000", "000000", "plain", 0.1, 0, 0),
    _of("soy sauce", "soy sauce", "tablespoons", "", "000000", "000000", "plain", 0.1, 0, 0),
    _of("garlic", "garlic", "cloves", "", "000000", "000000", "plain", 0.1, 0, 0),
    _of("lime juice", "lime juice", "tablespoons", "", "000000", "000000", "plain", 0.1, 0, 0),
    _of("cumin", "cumin", "teaspoons", "", "000000", "000000", "plain", 0.1, 0, 0),
)
"""What may be on a plate, those below first."""

CUISINES: dict[str, dict[str, float]] = {
    "Italian": {
        **{"spaghetti": 0.8, "tomato": 0.75, "basil": 0.7, "mozzarella cheese": 0.5, "black olive": 0.35},
        **{"mushroom": 0.35, "ground beef": 0.3, "chicken breast": 0.2, "shrimp": 0.12},
        **{"olive oil": 0.85, "garlic": 0.8, "salt": 0.6},
    },
    "Mexican": {
        **{"tortilla": 0.65, "black bean": 0.65, "corn": 0.55, "avocado": 0.55, "ground beef": 0.45, "rice": 0.3},
        **{"tomato": 0.5, "bell pepper": 0.45, "red onion": 0.4, "chicken breast": 0.25},
        **{"lime juice": 0.75, "cumin": 0.75, "salt": 0.5, "garlic": 0.35},
    },
    "Japanese": {
        **{"rice": 0.8, "salmon": 0.5, "tofu": 0.4, "sesame seed": 0.6, "chive": 0.45, "cucumber": 0.35},
        **{"carrot": 0.35, "broccoli": 0.3, "mushroom": 0.25, "shrimp": 0.3, "avocado": 0.2, "egg": 0.2},
        **{"soy sauce": 0.9, "garlic": 0.25},
    },
    "Greek": {
        **{"lettuce": 0.6, "cucumber": 0.7, "tomato": 0.7, "red onion": 0.6, "black olive": 0.7, "lemon": 0.35},
        **{"bell pepper": 0.3, "chicken breast": 0.35, "mozzarella cheese": 0.15},
        **{"olive oil": 0.9, "salt": 0.6, "garlic": 0.3},
    },
    "American": {
        **{"lettuce": 0.45, "egg": 0.6, "chicken breast": 0.45, "salmon": 0.25, "lemon": 0.35, "chive": 0.45},
        **{"carrot": 0.4, "broccoli": 0.35, "corn": 0.3, "mushroom": 0.25, "avocado": 0.2, "tomato": 0.25},
        **{"salt": 0.85, "olive oil": 0.35},
    },
}
"""How often an ingredient is in a dish of a cuisine."""
STRAY = 0.02
"""How often one is that does not belong there."""


class Dish(NamedTuple):
    """A recipe: cuisine, names of the ingredients in it, and their lines."""

    cuisine: str
    ingredients: tuple[str, ...]
    lines: tuple[str, ...]


def sample_dish(rng: np.random.Generator) -> Dish:
    """Draw a dish with three ingredients at least, one of which can be seen."""
    cuisine = str(rng.choice(sorted(CUISINES)))
    chances = np.array([CUISINES[cuisine].get(i.name, STRAY) for i in INGREDIENTS])
    while True:
        chosen = [i for i, taken in zip(INGREDIENTS, rng.random(len(chances)) < chances, strict=True) if taken]
        if len(chosen) >= 3 and any(i.shape for i in chosen):
            break
    order = rng.permutation(len(chosen))
    lines = tuple(_line(chosen[i], rng) for i in order)
    return Dish(cuisine, tuple(i.name for i in chosen), lines)


_FRACTIONS = ("1/2", "1/4", "3/4", "1 1/2", "2/3", "½", "1 ½")
_BEFORE = ("fresh ", "chopped ", "large ", "organic ", "finely chopped ", "freshly washed ")
_AFTER = (
    ", chopped",
    ", finely diced",
    ", to taste",
    " (optional)",
    ", rinsed and drained",
    ", cut into pieces",
    ", divided",
)
_SHORT = {
    "tablespoons": ("tbsp.", "Tbsp", "tablespoon"),
    "teaspoons": ("tsp", "tsp.", "teaspoon"),
    "ounces": ("oz.", "oz", "(8 ounce) package"),
    "pounds": ("lb.", "lbs", "pound"),
    "cups": ("cup", "c."),
    "cans": ("(15 oz.) can", "can"),
    "cloves": ("clove", "cloves"),
}


def _line(ingredient: Ingredient, rng: np.random.Generator) -> str:
    """Write an ingredient as people do: with a quantity, a unit, a preparation, or none of them."""
    plain = rng.random() < 0.1
    number = str(rng.integers(1, 5)) if rng.random() < 0.6 else str(rng.choice(_FRACTIONS))
    unit = ""
    if ingredient.unit and not plain:
        unit = f"{rng.choice((ingredient.unit, *_SHORT[ingredient.unit]))} "
    many = bool(ingredient.unit) or number != "1"
    name = ingredient.plural if many else ingredient.name
    before = str(rng.choice(_BEFORE)) if rng.random() < 0.3 else ""
    after = str(rng.choice(_AFTER)) if rng.random() < 0.4 else ""
    line = f"{'' if plain else f'{number} '}{unit}{before}{name}{after}"
    return line.capitalize() if plain and rng.random() < 0.5 else line
