"""The bound of a crossmodal VAE: one modality in, others out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, weights_of


def crossmodal(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
) -> Objective:
    """Return E_{q(z|x)} sum_m lambda_m log p(x_m | z) - beta KL(q(z|x) || p(z)).

    Gupta 2021, section 3.1.1; Joshi et al. 2022, eq. 2.

    Args:
        inputs: the first one is x; the others are not looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KL.
        num_particles: latent draws for each sample.

    Raises:
        ValueError: names or weights that `Term` refuses.
    """
    rows = [Term(inputs_of(inputs)[:1], weights_of(targets), kl=beta)]
    return Objective(Table(rows, name="crossmodal"), num_particles=num_particles)
