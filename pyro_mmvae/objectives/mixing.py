"""Modality mixing: every single input and all of them together decode everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, singles_and_all, weights_of


def mixing(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
) -> Objective:
    """Return sum over S in {each single input, all inputs} of rec(S -> T), less beta KL for the singles alone.

    Gupta 2021, eq. 3.7; Joshi et al. 2022, eq. 12-15. The joint posterior pays no KL of its own.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of the single posteriors' KLs to the prior.
        num_particles: latent draws for each sample and row.

    Raises:
        ValueError: names or weights that `Term` refuses.
    """
    inputs = inputs_of(inputs)
    rows = [
        Term(subset, weights_of(targets), kl=beta if len(subset) == 1 else 0.0) for subset in singles_and_all(inputs)
    ]
    return Objective(Table(rows, name="mixing"), num_particles=num_particles)
