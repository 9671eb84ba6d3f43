"""The triple ELBO: all modalities, and each on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.arguments import names_of
from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import Table, Term, inputs_of, own_targets, weights_of


def telbo(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    single_weights: Mapping[str, float] | float = 1.0,
) -> Objective:
    """Return ELBO(all -> T) + sum_m w_m ELBO({m} -> {m}).

    Vedantam et al. 2018, arXiv:1705.10762, section 3.1, which may also train the single posteriors afterwards, with
    the decoders frozen: two phases, and this is the first. What is never an input is decoded by every row.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities T, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        single_weights: w, by modality or one for all.

    Raises:
        ValueError: names or weights that `Term` refuses; a weight for what is not an input, or a row that has nothing
            to decode.
    """
    whole = inputs_of(inputs)
    given = single_weights if isinstance(single_weights, Mapping) else dict.fromkeys(whole, single_weights)
    names_of(given, "single_weights", known=whole)
    weights = weights_of(targets)
    rows = [Term(whole, weights, kl=beta)]
    if len(whole) > 1:
        rows += [
            Term((name,), own_targets((name,), whole, weights), kl=beta, weight=given.get(name, 1.0)) for name in whole
        ]
    return Objective(Table(rows, name="telbo"), num_particles=num_particles)
