"""The bound of the set VAE: a random subset in each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, own_targets, powerset, weights_of


def smvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    num_subsets: int = 1,
    seed: int = 0,
) -> Objective:
    """Return E_S [ rec(S -> S) - beta KL_S ], S uniform over the non-empty subsets, drawn anew in every step.

    "Generalizing multimodal variational methods to sets", eq. 3-4. The random order of the paper changes nothing here:
    no guide knows an order. What is never an input is decoded by every row.

    It is a bound for complete samples. Rows of which a sample sees nothing are left out, and the others keep their
    weights.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        num_subsets: number of subsets in a step; more of them make it less noisy.
        seed: of the subsets that are drawn.

    Raises:
        ValueError: names or weights that `Term` refuses; `num_subsets` is less than one, a row has nothing to decode,
            or there are more than 12 inputs.
    """
    inputs = inputs_of(inputs)
    weights, subsets = weights_of(targets), powerset(inputs)
    rows = [Term(s, own_targets(s, inputs, weights), kl=beta, weight=1 / len(subsets)) for s in subsets]
    return Objective(Table(rows, name="smvae", max_terms=num_subsets), num_particles=num_particles, seed=seed)
