"""The mixture-of-products bound: every subset decodes everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, powerset, weights_of


def mopoe(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    max_terms: int | None = None,
    seed: int = 0,
) -> Objective:
    """Return the mean over all non-empty subsets S of rec(S -> T) - beta KL_S.

    Sutter et al. 2021, arXiv:2105.02470, eq. 5-6, q_S a product of experts. With the guide `mopoe` every row is
    inferred from the component of its subset; the tighter bound on the mixture itself is `mmvae`.

    It is a bound for complete samples. Rows of which a sample sees nothing are left out, and the others keep their
    weights.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        max_terms: number of subsets that each step draws; all of them when left out.
        seed: of the subsets that are drawn.

    Raises:
        ValueError: names or weights that `Term` refuses; `max_terms` is less than one, or there are more than 12
            inputs.
    """
    inputs = inputs_of(inputs)
    subsets = powerset(inputs)
    rows = [Term(subset, weights_of(targets), kl=beta, weight=1 / len(subsets)) for subset in subsets]
    table = Table(rows, name="mopoe", max_terms=max_terms)
    return Objective(table, num_particles=num_particles, by_component=True, seed=seed)
