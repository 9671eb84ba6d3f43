"""Variational alignment: a lower branch, a mapper onto its space, and an upper branch beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import ONE_GAUSSIAN, TWO_INPUTS
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, singles_and_all, weights_of

Part = Literal["branches", "mapper", "all"]
"""What a phase trains."""
DecodedFrom = Literal["both", "mapped", "own"]
"""Whose draws the lower decoder gets when everything is trained."""
KLOf = Literal["mapped", "intermediate"]
"""Which Gaussian of the mapper pays a KL to N(0, I)."""


def variational_alignment(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    onto: str | None = None,
    part: Part = "all",
    upper_targets: Mapping[str, Weight] | Sequence[str] | None = None,
    beta_upper: Weight | None = None,
    beta_mapper: Weight | None = None,
    kl_of: KLOf = "mapped",
    distance: Weight = 1.0,
    decoded_from: DecodedFrom = "both",
) -> Objective:
    """Return sum over both branches of (rec - beta KL), + rec(S -> T) - beta_m KL_m - w W(q_S, q_onto) for the mapper.

    "Cross-modal Variational Alignment of Latent Spaces", eq. 6, as a bound: rec is minus L^r, weighted by the targets'
    lambda. (The minus signs before its KLs are a slip.) W is the 2-Wasserstein distance of eq. 5, not its square.
    S is each source and, if there are several, all of them together, which is ours. Made for the guide `mapper`; with
    any other guide with one Gaussian it is a crossmodal bound with a distance.

    The phases of the paper are the parts: "branches" has the two branches alone; "mapper" what is mapped and W, to be
    trained with everything but the mappers frozen; "all" everything. `alignment_phases` makes all three.

    No weight is printed in the paper, nor which Gaussian pays KL_m, nor what is decoded in the last phase: all are
    options, and their defaults are ours.

    Args:
        inputs: modalities that are looked at, at least two: sources (M1) and `onto` (M2).
        targets: what the lower branch decodes (D2), with weights lambda or with weight one.
        beta: weight of the lower branch's KL.
        num_particles: latent draws for each sample and row.
        onto: the modality whose space is mapped onto; the last input when left out.
        part: what is trained.
        upper_targets: what the upper branch decodes (D1), from each source alone. None leaves that branch out;
            otherwise model and guide have a branch `upper`.
        beta_upper: weight of the upper branch's KL; beta when left out.
        beta_mapper: weight of KL_m; beta when left out.
        kl_of: the Gaussian of KL_m: "mapped", which q_S is, or "intermediate".
        distance: weight of W.
        decoded_from: in the part "all", decode draws of q_S, of q_onto ("own"), or of both, each with its lambdas.

    Raises:
        ValueError: names or weights that `Term` refuses; an unknown option, or `onto` that is no input.
    """
    names = inputs_of(inputs)
    _check(part=(part, Part), kl_of=(kl_of, KLOf), decoded_from=(decoded_from, DecodedFrom))
    if onto is not None and onto not in names:
        raise ValueError(f"onto: expected one of the inputs {list(names)}, got {onto!r}")
    end = names[-1] if onto is None else onto
    sources = [name for name in names if name != end]
    weights, pay = weights_of(targets), beta if beta_mapper is None else beta_mapper
    rows, pulls = [], []
    if part != "mapper" or not sources:
        own = {} if part == "all" and decoded_from == "mapped" else weights
        rows.append(Term((end,), own, kl=beta))
    if part != "branches":
        decode = {} if part == "all" and decoded_from == "own" else weights
        kl, inner = (pay, 0.0) if kl_of == "mapped" else (0.0, pay)
        rows += [Term(subset, decode, kl=kl, kl_inner=inner) for subset in _subsets(sources)]
        pulls = [Alignment(subset, (end,), distance, wasserstein) for subset in _subsets(sources)]
    branches = {}
    if upper_targets is not None and part != "mapper":
        cost, above = beta if beta_upper is None else beta_upper, weights_of(upper_targets, "upper_targets")
        table = Table([Term((n,), above, kl=cost) for n in sources], name="upper")
        branches["upper"] = Objective(table, num_particles=num_particles)
    table = Table(rows, pulls, name="variational_alignment")
    requires = [] if part == "branches" else [TWO_INPUTS, ONE_GAUSSIAN]
    return Objective(table, num_particles=num_particles, requires=requires, branches=branches)


def _subsets(sources: Sequence[str]) -> list[tuple[str, ...]]:
    return singles_and_all(sources) if sources else []


def _check(**options: tuple[str, object]) -> None:
    for name, (value, kind) in options.items():
        if value not in (known := get_args(kind)):
            raise ValueError(f"{name}: expected one of {known}, got {value!r}")
