"""The proper bound of the mixture-of-experts VAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import MIXTURE
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, weights_of


def mmvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    form: Literal["plain", "iwae", "dreg"] = "plain",
) -> Objective:
    """Return 1/M sum_m E_{q_m}[log p(X, z) - log q_mix(z)], q_mix the whole mixture.

    Shi et al. 2019, arXiv:1911.03393, eq. 3; Joshi et al. 2022, eq. 16. The sum over m is the sum over the strata
    of a mixture posterior, so the table has one row. The form "iwae" is
    1/M sum_m E log 1/K sum_k p(X, z_mk) / q_mix(z_mk) (Shi et al., eq. 4), and "dreg" the same bound with the doubly
    reparameterised gradient that they train with.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of log q_mix(z) - log p(z); it is a bound on log p(X) only for one.
        num_particles: latent draws K for each sample and component.
        form: "plain", "iwae" or "dreg"; the latter two want K > 1.

    Raises:
        ValueError: names or weights that `Term` refuses; an unknown form.
    """
    if form not in ("plain", "iwae", "dreg"):
        raise ValueError(f"form: expected 'plain', 'iwae' or 'dreg', got {form!r}")
    rows = [Term(inputs_of(inputs), weights_of(targets), kl=beta)]
    return Objective(
        Table(rows, name="mmvae"),
        num_particles=num_particles,
        importance_weighted=form != "plain",
        doubly_reparameterised=form == "dreg",
        requires=[MIXTURE],
    )
