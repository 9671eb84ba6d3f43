"""The bound of the set VAE: a random subset in each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.divergences import squared_wasserstein
from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight, scaled
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, own_targets, powerset, weights_of


def smvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    num_subsets: int = 1,
    regularisation: Weight = 0.0,
    seed: int = 0,
) -> Objective:
    """Return E_S [ rec(S -> S) - beta KL_S - r sum(mu_S^2 + (sigma_S - 1)^2) ], S uniform over non-empty subsets.

    "Generalizing multimodal variational methods to sets", eq. 3-4; S is drawn anew in every step. The random order of
    the paper changes nothing here: no guide knows an order. What is never an input is decoded by every row.

    The last term is the L2 regulariser of section 3.2, off by default, as no weight is printed for it. The paper pulls
    sigma and mu to 0 and 1 in this order; we read it the other way round, which is towards the prior: the term is then
    the squared 2-Wasserstein distance of q_S to N(0, I). Its subsets are drawn on their own, as many as rows.

    It is a bound for complete samples. Rows of which a sample sees nothing are left out, and the others keep their
    weights.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        num_subsets: number of subsets in a step; more of them make it less noisy.
        regularisation: weight r of the regulariser; other than zero, it needs one Gaussian and the prior N(0, I).
        seed: of the subsets that are drawn.

    Raises:
        ValueError: names or weights that `Term` refuses; `num_subsets` is less than one, a row has nothing to decode,
            or there are more than 12 inputs.
    """
    inputs = inputs_of(inputs)
    weights, subsets = weights_of(targets), powerset(inputs)
    rows = [Term(s, own_targets(s, inputs, weights), kl=beta, weight=1 / len(subsets)) for s in subsets]
    pulls = [Alignment(s, (), scaled(regularisation, 1 / len(subsets)), squared_wasserstein) for s in subsets]
    table = Table(rows, pulls if regularisation else (), name="smvae", max_terms=num_subsets)
    return Objective(table, num_particles=num_particles, seed=seed)
