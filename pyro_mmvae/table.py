"""An objective as data: which subsets infer z, what each decodes, and what each pays."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from random import Random
from typing import TypeVar

from pyro_mmvae.arguments import check_count, check_mapping, names_of
from pyro_mmvae.divergences import Divergence, kl
from pyro_mmvae.schedules import Weight, check_weight, scaled

Subset = tuple[str, ...]


@dataclass(frozen=True)
class Term:
    """One row: infer z from `given`, decode with weights, pay a weighted KL to the prior.

    weight * ( sum_m decode[m] E log p(x_m | z) - kl KL(q(z | x_given) || p(z)) - kl_inner KL(inner || N(0, I)) )

    A sample of which none of `given` is observed contributes nothing to the row.

    Args:
        given: names of the modalities that the guide may look at.
        decode: weights (lambda) of the decoded modalities; one that is not named is not decoded.
        kl: weight (beta) of the KL.
        weight: factor of the whole row, outside the logarithm of an importance-weighted bound.
        kl_inner: weight of the KL of what the guide draws on the way to z (see `Guide.has_inner`).

    Raises:
        ValueError: what is no list of distinct names, or a weight that is negative, NaN or infinite.
    """

    given: Subset
    decode: Mapping[str, Weight]
    kl: Weight = 1.0
    weight: float = 1.0
    kl_inner: Weight = 0.0

    def __post_init__(self) -> None:
        """Refuse names and weights that have no meaning; keep the names as a tuple."""
        object.__setattr__(self, "given", names_of(self.given, "given of a term"))
        weights_of(self.decode, "decode of a term")
        check_weight(self.kl, "kl of a term")
        check_weight(self.weight, "weight of a term")
        check_weight(self.kl_inner, "kl_inner of a term")


@dataclass(frozen=True)
class Alignment:
    """A penalty on the divergence between the posteriors of two subsets, D(q(z | of) || q(z | to)).

    Raises:
        ValueError: what is no list of distinct names, or a weight that is negative, NaN or infinite.
    """

    of: Subset
    to: Subset
    weight: Weight = 1.0
    divergence: Divergence = kl

    def __post_init__(self) -> None:
        """Refuse names and weights that have no meaning; keep the names as tuples."""
        object.__setattr__(self, "of", names_of(self.of, "of of an alignment"))
        object.__setattr__(self, "to", names_of(self.to, "to of an alignment"))
        check_weight(self.weight, "weight of an alignment")


@dataclass(frozen=True)
class Table:
    """All rows and alignments of an objective; there may be alignments alone, which decode nothing.

    A table with more than `max_terms` rows is not evaluated whole: every training step draws that many of them, and
    as many alignments, and scales their weights up, so that the expected loss and gradient are those of the table.

    Args:
        terms: the rows, possibly none.
        alignments: penalties between posteriors.
        name: printed as the title.
        max_terms: largest number of rows of a training step; all of them when left out.
        always: number of leading rows that every step has; the others are drawn.

    Raises:
        ValueError: there is neither row nor alignment, or no place for a drawn one beside those that every step has;
            or `max_terms` is no whole number.
    """

    terms: Sequence[Term]
    alignments: Sequence[Alignment] = ()
    name: str = ""
    max_terms: int | None = None
    always: int = 0

    def __post_init__(self) -> None:
        """Refuse an empty table, and a budget that the rows of every step use up."""
        if not self.terms and not self.alignments:
            raise ValueError("an objective needs at least one term or alignment, got none")
        if self.max_terms is not None:
            check_count(self.max_terms, "max_terms", at_least=max(min(self.always, len(self.terms) - 1), 0) + 1)

    def drawn(self, rng: Random, at_least: int = 0) -> Table:
        """Return a table of at most `max_terms` rows and as many alignments, whose expectation is this one.

        Args:
            rng: where the choice comes from.
            at_least: draw this many where `max_terms` is less.
        """
        budget = None if self.max_terms is None else max(self.max_terms, at_least)
        if budget is None or max(len(self.terms), len(self.alignments)) <= budget:
            return self
        terms, alignments = list(self.terms), list(self.alignments)
        if len(terms) > budget:
            fixed, pool = terms[: self.always], terms[self.always :]
            chosen, factor = _sample(rng, pool, budget - self.always)
            terms = fixed + [_reweighted(t, factor) for t in chosen]
        if len(alignments) > budget:
            picked, factor = _sample(rng, alignments, budget)
            alignments = [_reweighted(a, factor) for a in picked]
        return Table(terms, alignments, self.name)

    @cached_property
    def subsets(self) -> list[Subset]:
        """The subsets of which a posterior is needed: those of the rows, then those of alignments alone."""
        rows = [term.given for term in self.terms]
        there = set(rows)
        extra = dict.fromkeys(subset for a in self.alignments for subset in (a.of, a.to))
        return rows + [subset for subset in extra if subset not in there]

    @cached_property
    def inputs(self) -> Subset:
        """Every modality that some row or alignment looks at, in order of appearance."""
        return tuple(dict.fromkeys(name for subset in self.subsets for name in subset))

    @cached_property
    def targets(self) -> Subset:
        """Every modality that some row decodes, in order of appearance."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.decode))

    @cached_property
    def pays_inner(self) -> bool:
        """Whether some row pays a KL for what the guide draws on the way to z."""
        return any(term.kl_inner != 0 for term in self.terms)

    def __str__(self) -> str:
        """Return the table as aligned markdown."""
        costs = ["KL", "inner KL"] if self.pays_inner else ["KL"]
        head = ["given", *self.targets, *costs, "weight"]
        body = [
            [
                _braces(t.given),
                *(_number(t.decode.get(n, 0.0)) for n in self.targets),
                *(_number(w) for w in (t.kl, t.kl_inner)[: len(costs)]),
                _number(t.weight),
            ]
            for t in self.terms
        ]
        lines = _markdown([head, *body]) if body else []
        lines += [
            f"- {_number(a.weight)} {getattr(a.divergence, '__name__', 'D')}(q({_braces(a.of)}) || q({_braces(a.to)}))"
            for a in self.alignments
        ]
        if self.max_terms is not None and self.max_terms < len(self.terms):
            drawn, pool = self.max_terms - self.always, len(self.terms) - self.always
            lines.append(_draws(f"{drawn} of the last {pool} rows" if self.always else f"{drawn} rows", pool / drawn))
        elif self.max_terms is not None and self.max_terms < len(self.alignments):
            lines.append(_draws(f"{self.max_terms} of the alignments", len(self.alignments) / self.max_terms))
        return "\n".join(([f"{self.name}:"] if self.name else []) + lines)


def weights_of(targets: Mapping[str, Weight] | Iterable[str], what: str = "targets") -> dict[str, Weight]:
    """Return targets as a mapping; plain names get weight one.

    Args:
        targets: names, or weights by name.
        what: the argument they came by, for the message.

    Raises:
        ValueError: what is no list of distinct names, or a weight that is negative, NaN or infinite.
    """
    if not isinstance(targets, Mapping):
        return dict.fromkeys(names_of(targets, what), 1.0)
    check_mapping(targets, what)
    for name, weight in targets.items():
        check_weight(weight, f"{what}: weight of {name!r}")
    return dict(targets)


def inputs_of(inputs: Iterable[str]) -> Subset:
    """Return the inputs of an objective.

    Raises:
        ValueError: there is none, or what is no list of distinct names.
    """
    found = names_of(inputs, "inputs")
    if not found:
        raise ValueError("inputs: expected at least one name, got none")
    return found


def singles_and_all(inputs: Sequence[str]) -> list[Subset]:
    """Return every single input and, if there are several, all of them together."""
    singles: list[Subset] = [(name,) for name in inputs]
    return [*singles, tuple(inputs)] if len(inputs) > 1 else singles


MAX_POWERSET = 12
"""Largest number of modalities whose subsets are listed one by one: 4,095 rows."""


def powerset(inputs: Sequence[str]) -> list[Subset]:
    """Return all non-empty subsets, small ones first.

    Raises:
        ValueError: more than 12 inputs.
    """
    if len(inputs) > MAX_POWERSET:
        raise ValueError(
            f"{len(inputs)} inputs have {2 ** len(inputs) - 1} subsets, too many to list; "
            f"write an objective with the subsets that matter"
        )
    return [subset for size in range(1, len(inputs) + 1) for subset in combinations(inputs, size)]


def own_targets(subset: Subset, inputs: Sequence[str], targets: Mapping[str, Weight]) -> dict[str, Weight]:
    """Return what a row decodes that decodes what it was given: its own members, and what is never an input.

    Raises:
        ValueError: there is nothing of that kind among the targets.
    """
    own = {name: weight for name, weight in targets.items() if name in subset or name not in inputs}
    if not own:
        raise ValueError(
            f"the row of {_braces(subset)} decodes what it was given, but the targets are {list(targets)}; "
            f"add {list(subset)} to the targets, or use an objective whose rows decode everything, such as `mixing`"
        )
    return own


T = TypeVar("T")
Row = TypeVar("Row", Term, Alignment)


def _reweighted(row: Row, factor: float) -> Row:
    # Not by `replace`, which looks at everything again: this is done in every step.
    other = copy.copy(row)
    object.__setattr__(other, "weight", scaled(row.weight, factor))
    return other


def _sample(rng: Random, pool: Sequence[T], count: int) -> tuple[list[T], float]:
    """Draw without replacement, in the order of the pool; the factor makes the expected sum that of the pool."""
    places = sorted(rng.sample(range(len(pool)), count))
    return [pool[i] for i in places], len(pool) / count


def _draws(which: str, factor: float) -> str:
    return f"- each training step draws {which} at random and scales their weights by {factor:g}"


def _braces(subset: Subset) -> str:
    return "{" + ", ".join(subset) + "}"


def _number(weight: Weight) -> str:
    return f"{weight:g}" if isinstance(weight, int | float) else str(weight)


def _markdown(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]
