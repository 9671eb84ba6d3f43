"""The bound of the extended crossmodal VAE: all inputs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, weights_of


def extended(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
) -> Objective:
    """Return E_{q(z|x_S)} sum_m lambda_m log p(x_m | z) - beta KL(q(z|x_S) || p(z)), S all inputs.

    Gupta 2021, eq. 3.3. With beta and all lambda one, and the inputs as targets, it is the ELBO of log p(x_S).

    Args:
        inputs: the modalities S that are looked at.
        targets: decoded modalities, which may lie outside S, with weights lambda or with weight one.
        beta: weight of the KL.
        num_particles: latent draws for each sample.

    Raises:
        ValueError: names or weights that `Term` refuses.
    """
    rows = [Term(inputs_of(inputs), weights_of(targets), kl=beta)]
    return Objective(Table(rows, name="extended"), num_particles=num_particles)
