"""The recursive bound over all subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight, scaled
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, own_targets, powerset, weights_of


def m2vae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight | Mapping[int, Weight] = 1.0,
    beta_mutual: Weight | Mapping[int, Weight] = 1.0,
    num_particles: int = 1,
    max_terms: int | None = None,
    seed: int = 0,
) -> Objective:
    """Return B(all), B(X) = 1/n ( sum_m B(X - m) + ELBO(X) - sum_m KL(q_X || q_{X - m}) ), B({m}) = ELBO({m}).

    Korthals et al. 2019, section 1.2.2-1.2.3, written out as one table; n is the number of modalities in X, and m runs
    over them. ELBO(X) decodes X, and what is never an input.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs to the prior, one for all or by the size of X (one where a size is not named).
        beta_mutual: weight of the KLs between posteriors, one for all or by the size of the larger subset.
        num_particles: latent draws for each sample and row.
        max_terms: number of rows, and of alignments, that each step draws; all of them when left out.
        seed: of the rows that are drawn.

    Raises:
        ValueError: names or weights that `Term` refuses; `max_terms` is less than one, a row has nothing to
            decode, a weight is for a size that no subset has, or there are more than 12 inputs.
    """
    inputs = inputs_of(inputs)
    _check_sizes(beta, len(inputs), "beta")
    _check_sizes(beta_mutual, len(inputs), "beta_mutual")
    weights, shares = weights_of(targets), _shares(len(inputs))
    rows, pulls = [], []
    for subset in powerset(inputs):
        size = len(subset)
        share = shares[size] / size if size > 1 else shares[size]
        rows.append(Term(subset, own_targets(subset, inputs, weights), kl=_at(beta, size), weight=share))
        for left_out in subset if size > 1 else ():
            rest = tuple(name for name in subset if name != left_out)
            pulls.append(Alignment(subset, rest, weight=scaled(_at(beta_mutual, size), share)))
    table = Table(rows, pulls, name="m2vae", max_terms=max_terms)
    return Objective(table, num_particles=num_particles, seed=seed)


def _shares(count: int) -> dict[int, float]:
    """Return the factor of B(X) in B(all), by the size of X: every superset hands on its own, divided by its size."""
    shares = {count: 1.0}
    for size in range(count - 1, 0, -1):
        shares[size] = shares[size + 1] * (count - size) / (size + 1)
    return shares


def _check_sizes(weight: Weight | Mapping[int, Weight], count: int, what: str) -> None:
    if isinstance(weight, Mapping) and (unknown := [size for size in weight if size not in range(1, count + 1)]):
        raise ValueError(f"{what}: expected weights by size of a subset, from 1 to {count}, got {unknown} besides")


def _at(weight: Weight | Mapping[int, Weight], size: int) -> Weight:
    return weight.get(size, 1.0) if isinstance(weight, Mapping) else weight
