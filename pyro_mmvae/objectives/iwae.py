"""The importance-weighted bound over any guide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, weights_of


def iwae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 8,
    doubly_reparameterised: bool = False,
) -> Objective:
    """Return E log 1/K sum_k p(x_T, z_k) / q(z_k | x_S), z_k ~ q(z | x_S), S all inputs.

    Burda et al. 2016, arXiv:1509.00519, eq. 8. It grows with K towards log p(x_T). A mixture is drawn by strata, whose
    weights are inside the logarithm: a bound on log p(x_T) for every K, tighter than that of `mmvae`.

    Args:
        inputs: the modalities S that are looked at.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of log q - log p; it is a bound on log p(x_T) only for one.
        num_particles: latent draws K for each sample, and component of a mixture.
        doubly_reparameterised: less noisy gradient for the guide at large K (Tucker et al. 2019, arXiv:1810.04152).

    Raises:
        ValueError: names or weights that `Term` refuses.
    """
    return Objective(
        Table([Term(inputs_of(inputs), weights_of(targets), kl=beta)], name="iwae"),
        num_particles=num_particles,
        importance_weighted=True,
        pooled_strata=True,
        doubly_reparameterised=doubly_reparameterised,
    )
