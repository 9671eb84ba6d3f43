"""An objective as data: which subsets infer z, what each decodes, and what each pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyro_mmvae.divergences import Divergence, kl
from pyro_mmvae.schedules import Weight

Subset = tuple[str, ...]


@dataclass(frozen=True)
class Term:
    """One row: infer z from `given`, decode with weights, pay a weighted KL to the prior.

    weight * ( sum_m decode[m] E log p(x_m | z) - kl KL(q(z | x_given) || p(z)) )

    A sample of which none of `given` is observed contributes nothing to the row.

    Args:
        given: names of the modalities that the guide may look at.
        decode: weights (lambda) of the decoded modalities; one that is not named is not decoded.
        kl: weight (beta) of the KL.
        weight: factor of the whole row, outside the logarithm of an importance-weighted bound.
    """

    given: Subset
    decode: Mapping[str, Weight]
    kl: Weight = 1.0
    weight: float = 1.0


@dataclass(frozen=True)
class Alignment:
    """A penalty on the divergence between the posteriors of two subsets, D(q(z | of) || q(z | to))."""

    of: Subset
    to: Subset
    weight: Weight = 1.0
    divergence: Divergence = kl


@dataclass(frozen=True)
class Table:
    """All rows and alignments of an objective.

    Args:
        terms: the rows.
        alignments: penalties between posteriors.
        name: printed as the title.
    """

    terms: Sequence[Term]
    alignments: Sequence[Alignment] = ()
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty table."""
        if not self.terms:
            raise ValueError("an objective needs at least one term, got none")

    @property
    def subsets(self) -> list[Subset]:
        """The subsets of which a posterior is needed: those of the rows, then those of alignments alone."""
        rows = [term.given for term in self.terms]
        extra = [subset for a in self.alignments for subset in (a.of, a.to) if subset not in rows]
        return rows + list(dict.fromkeys(extra))

    @property
    def inputs(self) -> Subset:
        """Every modality that some row or alignment looks at, in order of appearance."""
        return tuple(dict.fromkeys(name for subset in self.subsets for name in subset))

    @property
    def targets(self) -> Subset:
        """Every modality that some row decodes, in order of appearance."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.decode))

    def __str__(self) -> str:
        """Return the table as aligned markdown."""
        head = ["given", *self.targets, "KL", "weight"]
        body = [
            [_braces(t.given), *(_number(t.decode.get(n, 0.0)) for n in self.targets), _number(t.kl), _number(t.weight)]
            for t in self.terms
        ]
        lines = _markdown([head, *body])
        lines += [
            f"- {_number(a.weight)} {getattr(a.divergence, '__name__', 'D')}(q({_braces(a.of)}) || q({_braces(a.to)}))"
            for a in self.alignments
        ]
        return "\n".join(([f"{self.name}:"] if self.name else []) + lines)


def weights_of(targets: Mapping[str, Weight] | Iterable[str]) -> dict[str, Weight]:
    """Return targets as a mapping; plain names get weight one."""
    return dict(targets) if isinstance(targets, Mapping) else dict.fromkeys(targets, 1.0)


def singles_and_all(inputs: Sequence[str]) -> list[Subset]:
    """Return every single input and, if there are several, all of them together."""
    singles: list[Subset] = [(name,) for name in inputs]
    return [*singles, tuple(inputs)] if len(inputs) > 1 else singles


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
