"""Every row lacks one input: training for the day when a sensor fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import TWO_INPUTS
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, weights_of


def leave_one_out(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
) -> Objective:
    """Return the mean over inputs m of ELBO(all but m -> T), T the targets.

    Args:
        inputs: modalities that are looked at, at least two.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs to the prior.
        num_particles: latent draws for each sample and row.
    """
    subsets = [tuple(name for name in inputs if name != left_out) for left_out in inputs]
    rows = [Term(subset, weights_of(targets), kl=beta, weight=1 / len(inputs)) for subset in subsets]
    return Objective(Table(rows, name="leave_one_out"), num_particles=num_particles, requires=[TWO_INPUTS])
