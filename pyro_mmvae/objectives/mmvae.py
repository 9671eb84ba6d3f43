"""The proper bound of the mixture-of-experts VAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, weights_of


def mmvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    importance_weighted: bool = False,
) -> Objective:
    """Return 1/M sum_m E_{q_m}[log p(X, z) - log q_mix(z)], q_mix the whole mixture.

    Shi et al. 2019, arXiv:1911.03393, eq. 3; Joshi et al. 2022, eq. 16. The sum over m is the sum over the strata
    of a mixture posterior, so the table has one row. Importance weights give the form of Shi et al., eq. 4.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of log q_mix(z) - log p(z); it is a bound on log p(X) only for one.
        num_particles: latent draws K for each sample and component.
        importance_weighted: the IWAE form over the K draws of each component.
    """
    rows = [Term(tuple(inputs), weights_of(targets), kl=beta)]
    return Objective(
        Table(rows, name="mmvae"),
        num_particles=num_particles,
        importance_weighted=importance_weighted,
        needs_mixture=True,
    )
