"""The joint ELBO, with the posteriors of less pulled to the joint one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import TWO_INPUTS
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, weights_of


def jmvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    alpha: Weight = 0.1,
    against: Literal["singles", "leave_one_out"] = "singles",
) -> Objective:
    """Return rec(all -> T) - beta KL_all - alpha sum_S KL(q_all || q_S).

    Suzuki et al. 2016, arXiv:1611.01891, eq. 6 (JMVAE-kl): S is each single input, and alpha is theirs. Korthals et al.
    2019 have no such weight: theirs is alpha = 1. For more than two inputs the
    variation of information leads to S = all but one (Korthals et al. 2019, section 1.2.1), which does not train
    single posteriors. With two inputs both are the same.

    Args:
        inputs: modalities that are looked at, at least two.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of the joint KL.
        num_particles: latent draws for each sample.
        alpha: weight of the KLs between posteriors, a choice in Suzuki et al., 1 in Korthals et al.
        against: "singles" or "leave_one_out".

    Raises:
        ValueError: names or weights that `Term` refuses; an unknown `against`.
    """
    whole = inputs_of(inputs)
    if against == "singles":
        subsets: list[tuple[str, ...]] = [(name,) for name in whole]
    elif against == "leave_one_out":
        subsets = [tuple(name for name in whole if name != left_out) for left_out in whole]
    else:
        raise ValueError(f"against: expected 'singles' or 'leave_one_out', got {against!r}")
    pulls = [Alignment(whole, subset, weight=alpha) for subset in subsets]
    table = Table([Term(whole, weights_of(targets), kl=beta)], pulls, name="jmvae")
    return Objective(table, num_particles=num_particles, requires=[TWO_INPUTS])
