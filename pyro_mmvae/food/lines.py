"""Foods named by a line of a recipe, without quantities, units and preparation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from pyro_mmvae.food.words import ALSO_FOODS, CUTS, FILLERS, MEATS, NUMBERS, PREPARATIONS, SIZES, TOGETHER, UNITS

MAX_LINE = 400
"""Characters of a line that are looked at."""
MAX_WORDS = 5
"""Words of the longest name; its last ones say what it is."""

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[(\[].*$")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_SIGNS = re.compile(r"(?<=\d)[a-z.]*\.(?=\s)|[®™*]")
_SALT_AND = re.compile(r"\bsalt (?=(?:(?:fresh|freshly|ground|cracked) )*(?:black |white )?pepper)")
_DROPPED = NUMBERS | SIZES | PREPARATIONS | FILLERS


def foods(line: str) -> tuple[str, ...]:
    """Return the foods that a line names, e.g. `("salt", "black pepper")` for "1/2 tsp. salt and black pepper".

    What is in brackets or after a comma explains, unless nothing stands before it. Of alternatives ("or") one is taken.
    Words stay as they are, plurals too: only a vocabulary knows which forms there are. English alone is understood.

    Why there is a parser here: of those that are kept up, one wants a tagger's data from the network and the other
    takes "salt and black pepper" for one food.

    Args:
        line: as written; beyond `MAX_LINE` characters nothing is read.
    """
    text = _SALT_AND.sub("salt and ", f" {_plain(line[:MAX_LINE])} ")
    for index, whole in enumerate(TOGETHER):
        text = text.replace(whole, f"together{'x' * index}")
    parts = (_name(part) for alternative in _phrases(text) for part in re.split(r"\band\b|&|\+", alternative))
    return tuple(dict.fromkeys(name for name in parts if name))


def _plain(line: str) -> str:
    """Return a line in small ASCII letters without brackets; fractions and accents lose what is no letter."""
    plain = unicodedata.normalize("NFKD", line).encode("ascii", "ignore").decode().lower()
    return _SIGNS.sub(" ", _BRACKETS.sub(" ", plain))


def _phrases(text: str) -> Iterator[str]:
    """Yield the part of a line that names foods: the first between commas that names any."""
    for segment in re.split(r"[,;:]| - |--", text):
        phrase = _alternative(_before_explanations(f" {segment.strip()} "))
        if _words(phrase):
            yield phrase
            return


def _before_explanations(phrase: str) -> str:
    for cut in CUTS:
        before, found, _ = phrase.partition(cut)
        if found and _words(before):
            phrase = f"{before} "
    return phrase


def _alternative(phrase: str) -> str:
    """Return one of the alternatives; of "chicken or vegetable broth" the last, as the first is no food on its own."""
    options = [option for option in re.split(r"\bor\b|/(?=[a-z])", phrase) if _words(option)]
    if len(options) < 2:
        return phrase
    return options[-1] if len(_words(options[0])) == 1 < len(_words(options[-1])) else options[0]


def _words(phrase: str) -> list[str]:
    """Return the words that may belong to a food's name."""
    found = [word for word in _WORD.findall(phrase) if not _is_dropped(word)]
    named = [word for word in found if not _is_unit(word)]
    return named or [word for word in found if word in ALSO_FOODS][-1:]


@lru_cache(maxsize=50_000)
def _is_dropped(word: str) -> bool:
    return word in _DROPPED or (word.endswith("ly") and len(word) > 5)


@lru_cache(maxsize=50_000)
def _is_unit(word: str) -> bool:
    return word in UNITS or word.removesuffix("s") in UNITS or word.removesuffix("es") in UNITS or word == "leaves"


def _name(phrase: str) -> str:
    words = _words(phrase)
    if len(words) == 1 and len(words[0]) < 3:
        return ""
    if words[:1] == ["ground"] and not set(words[1:]) & MEATS:
        words = words[1:]
    if words[-1:] == ["bay"]:  # whose leaf is no measure
        words = [*words, "leaf"]
    name = " ".join(words[-MAX_WORDS:])
    return re.sub(r"together(x*)", lambda found: TOGETHER[len(found[1])].replace("&", "and"), name)
