"""ELBOs of all modalities, of each alone, and of random subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.arguments import check_count
from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, own_targets, powerset, weights_of


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
        ValueError: names or weights that `Term` refuses; a negative k, a row that has nothing to decode, or more than
            12 inputs.
    """
    check_count(num_subsets, "num_subsets", at_least=0)
    weights, whole = weights_of(targets), inputs_of(inputs)
    singles = [(name,) for name in whole if len(whole) > 1]
    between = [s for s in powerset(whole) if 1 < len(s) < len(whole)] if num_subsets else []
    drawn = min(num_subsets, len(between))
    rows = [Term(s, own_targets(s, whole, weights), kl=beta) for s in (whole, *singles)]
    pool = [Term(s, own_targets(s, whole, weights), kl=beta, weight=drawn / len(between)) for s in between]
    table = Table(rows + pool, name="mvae", max_terms=len(rows) + drawn, always=len(rows))
    return Objective(table, num_particles=num_particles, seed=seed)
