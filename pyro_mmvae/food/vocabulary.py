"""Which ingredients there are, and what else they are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import torch
from rapidfuzz import fuzz, process
from torch import Tensor

from pyro_mmvae.files import read_json, write_json
from pyro_mmvae.food.lines import foods

MAX_NAMES = 100_000
"""Ingredients of the largest vocabulary that is read."""
CLOSE = 92.0
"""Similarity (0 to 100, of edits) from which a rare name is another spelling of a frequent one."""
RARER = 5
"""How many times rarer it must be."""
_COMPARED = 6
"""Letters of the shortest name of which there may be other spellings."""


@dataclass(frozen=True)
class Vocabulary:
    """Ingredients, the most frequent first.

    Attributes:
        names: one for each ingredient.
        counts: number of recipes that they were found in.
        merged: other names of them: plurals, other spellings, rare special kinds.
        dropped: number of different names that are no ingredient.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    merged: Mapping[str, int]
    dropped: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int], *, least: int = 10, size: int | None = None) -> Self:
        """Make a vocabulary of names as `foods` finds them.

        A plural and its singular are one ingredient, by the name that is more frequent, and so are hyphenated and
        joined words; a rare name that differs by a letter or two from a frequent one is a spelling of it; a special
        kind that is rare counts as its kind ("smoked sea salt" as "sea salt"). What is rare then is dropped.

        Rarity is the rule of Recipe1M's literature (10 occurrences); what merges is ours, as no paper prints it.

        Args:
            counts: number of recipes with each name.
            least: recipes that an ingredient is in at least.
            size: number of ingredients at most, the most frequent ones; None: any.

        Raises:
            ValueError: no ingredient is that frequent, or numbers out of range.
        """
        if least < 1 or (size is not None and size < 1):
            raise ValueError(f"vocabulary: expected numbers of at least 1, got least={least}, size={size}")
        forms = _forms(counts)
        kept = [name for name, n in _total(counts, forms).most_common() if n >= least][:size]
        forms = _spellings(counts, forms, kept)
        same = {name: _kind(form, kept_set) for kept_set in [frozenset(kept)] for name, form in forms.items()}
        found = Counter[str]()
        for name, form in same.items():
            if form is not None:
                found[form] += counts[name]
        if not found:
            raise ValueError(
                f"the vocabulary is empty: none of {len(counts)} names of foods is in {least} recipes; "
                f"lower the number, or check that the recipes have ingredients in English"
            )
        ranked = sorted(found, key=lambda name: (-found[name], name))
        place = {name: index for index, name in enumerate(ranked)}
        merged = {n: place[form] for n, form in same.items() if form is not None and n not in place}
        dropped = sum(form is None for form in same.values())
        return cls(tuple(ranked), tuple(found[n] for n in ranked), merged, dropped)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def places(self) -> dict[str, int]:
        """Numbers of ingredients by all names that they go by."""
        return {**self.merged, **{name: index for index, name in enumerate(self.names)}}

    def in_line(self, line: str) -> tuple[str, ...]:
        """Return the ingredients that a line of a recipe names."""
        places = self.places
        return tuple(dict.fromkeys(self.names[places[name]] for name in foods(line) if name in places))

    def targets(self, recipes: Iterable[Iterable[int]]) -> Tensor:
        """Return the ingredients (their numbers) of N recipes as zeros and ones, shape `(N, len(self))`."""
        rows = [list(numbers) for numbers in recipes]
        found = torch.zeros(len(rows), len(self))
        for row, numbers in zip(found, rows, strict=True):
            row[numbers] = 1.0
        return found

    def save(self, path: Path) -> None:
        """Write it as JSON, in one piece."""
        content = {"names": self.names, "counts": self.counts, "merged": dict(self.merged), "dropped": self.dropped}
        write_json(content, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` has written.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or holds something else.
        """
        content = read_json(path)
        try:
            found = cls(**{**content, "names": tuple(content["names"]), "counts": tuple(content["counts"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: expected a vocabulary with names, counts and merged: {error}") from error
        if reason := _fault(found):
            raise ValueError(f"{path}: {reason}")
        return found

    def __str__(self) -> str:
        also: dict[int, list[str]] = {}
        for name, index in self.merged.items():
            also.setdefault(index, []).append(name)
        lines = [
            f"{count:>8}  {name}" + (f"  ({', '.join(also[i][:8])}{', ...' * (len(also[i]) > 8)})" if i in also else "")
            for i, (name, count) in enumerate(zip(self.names, self.counts, strict=True))
        ]
        return "\n".join([*lines, f"{len(self)} ingredients; {len(self.merged)} names merged, {self.dropped} dropped"])


def _fault(found: Vocabulary) -> str | None:
    names, merged = found.names, found.merged
    if not 0 < len(names) <= MAX_NAMES or len(set(map(str, names))) < len(names):
        return f"expected from 1 to {MAX_NAMES} different names, got {len(names)}"
    if not all(isinstance(name, str) for name in names) or len(found.counts) != len(names):
        return "expected names that are words, and a count for each"
    if not all(_is_number(count) for count in (*found.counts, found.dropped)):
        return "expected counts that are whole numbers"
    if not isinstance(merged, dict) or not all(_is_number(i) and i < len(names) for i in merged.values()):
        return "expected merged names with numbers of ingredients"
    return None


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _forms(counts: Mapping[str, int]) -> dict[str, str]:
    """Return for every name the most frequent form of it: singular or plural, with or without hyphens and spaces."""
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(_stem(name), []).append(name)
    best = {stem: max(names, key=lambda n: (counts[n], n)) for stem, names in groups.items()}
    return {name: best[stem] for stem, names in groups.items() for name in names}


def _stem(name: str) -> str:
    """Return what all forms of a name share; never shown, so that it does not matter that "hummus" becomes "hummu"."""
    return "".join(_singular(word) for word in re.split(r"[ -]", name))


@cache
def _inflect() -> Any:
    import inflect  # late: it takes half a second to import

    return inflect.engine()


@cache
def _singular(word: str) -> str:
    if not word.endswith("s") and word not in ("leaves", "halves"):
        return word  # irregular ones are no food, and asking takes a while
    return _inflect().singular_noun(word) or word


def _total(counts: Mapping[str, int], forms: Mapping[str, str]) -> Counter[str]:
    total = Counter[str]()
    for name, form in forms.items():
        total[form] += counts[name]
    return total


def _spellings(counts: Mapping[str, int], forms: dict[str, str], kept: list[str]) -> dict[str, str]:
    """Return forms in which rare names that are spelled almost like frequent ones are those."""
    total = _total(counts, forms)
    known = [name for name in kept if len(name) >= _COMPARED]
    rank = {name: number for number, name in enumerate(kept)}
    meant: dict[str, str] = {}
    for name in total:
        if len(name) < _COMPARED:
            continue
        found = process.extract(name, known, scorer=fuzz.ratio, score_cutoff=CLOSE, limit=4)
        better = [n for n, _, _ in found if n != name and total[n] >= RARER * total[name] and _same_kind(n, name)]
        if better:
            meant[name] = min(better, key=rank.__getitem__)
    for name in list(meant):  # of a spelling of a spelling, the most frequent
        while meant[name] in meant:
            meant[name] = meant[meant[name]]
    return {name: meant.get(form, form) for name, form in forms.items()}


def _same_kind(one: str, other: str) -> bool:
    """Return whether names begin alike: "red wine" and "bed wine" may, "unsalted" and "salted" things do not."""
    return one[0] == other[0] and len(one.split()) == len(other.split())


def _kind(name: str, kept: frozenset[str]) -> str | None:
    """Return the ingredient that a name is a kind of: itself, or its last words."""
    words = name.split()
    return next((" ".join(words[i:]) for i in range(len(words)) if " ".join(words[i:]) in kept), None)
