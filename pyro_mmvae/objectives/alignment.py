"""The extended bound, with the posterior of the primary modality pulled to the joint one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import TWO_INPUTS
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, weights_of


def alignment(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    beta_alignment: Weight | None = None,
    num_particles: int = 1,
) -> Objective:
    """Return ELBO(all -> T) + ELBO(primary -> T) - beta' KL(q(z|all) || q(z|primary)).

    Gupta 2021, eq. 3.5.

    Args:
        inputs: all inputs, at least two; the first one is the primary modality.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of the KLs to the prior.
        beta_alignment: weight beta' of the KL between posteriors; beta when left out, as in the source.
        num_particles: latent draws for each sample and row.

    Raises:
        ValueError: names or weights that `Term` refuses.
    """
    together = inputs_of(inputs)
    primary = together[:1]
    rows = [Term(subset, weights_of(targets), kl=beta) for subset in (together, primary)]
    pull = Alignment(together, primary, weight=beta if beta_alignment is None else beta_alignment)
    return Objective(Table(rows, [pull], name="alignment"), num_particles=num_particles, requires=[TWO_INPUTS])
