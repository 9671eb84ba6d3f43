"""ELBOs of all modalities, of each alone, and of random subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, own_targets, powerset, weights_of


def mvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    num_subsets: int = 1,
    seed: int = 0,
) -> Objective:
    """Return ELBO(all) + sum_m ELBO({m}) + sum over k random subsets S of ELBO(S), each S decoding S.

    Wu & Goodman 2018, arXiv:1802.05335, eq. 3-5. The subsets are drawn anew in every step, without replacement,
    from those that are neither single nor whole; with two inputs there is none. What is never an input is decoded by
    every row.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        num_subsets: k.
        seed: of the subsets that are drawn.

    Raises:
        ValueError: a negative k, a row that has nothing to decode, or more than 12 inputs.
    """
    if num_subsets < 0:
        raise ValueError(f"num_subsets: expected at least 0, got {num_subsets}")
    weights, whole = weights_of(targets), tuple(inputs)
    singles = [(name,) for name in inputs if len(inputs) > 1]
    between = [s for s in powerset(inputs) if 1 < len(s) < len(inputs)] if num_subsets else []
    drawn = min(num_subsets, len(between))
    rows = [Term(s, own_targets(s, inputs, weights), kl=beta) for s in (whole, *singles)]
    pool = [Term(s, own_targets(s, inputs, weights), kl=beta, weight=drawn / len(between)) for s in between]
    table = Table(rows + pool, name="mvae", max_terms=len(rows) + drawn, always=len(rows))
    return Objective(table, num_particles=num_particles, seed=seed)
