"""Cross and distribution alignment: every single posterior decodes everything, and all of them are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from pyro_mmvae.arguments import check_number
from pyro_mmvae.divergences import wasserstein
from pyro_mmvae.objective import Objective
from pyro_mmvae.requirements import ONE_GAUSSIAN, TWO_INPUTS
from pyro_mmvae.schedules import Schedule, Weight, check_weight
from pyro_mmvae.table import Alignment, Table, Term, inputs_of, weights_of


def cada(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    gamma: Weight = 1.0,
    delta: Weight = 1.0,
) -> Objective:
    """Return sum_m [ rec({m} -> {m}) - beta KL_m + gamma rec({m} -> all others) ] - delta sum_{m<n} W(q_m, q_n).

    CADA-VAE, Schonfeld et al. 2019, arXiv:1812.01784, with the 2-Wasserstein distance W (not squared) between single
    posteriors. A pair counts once, as in the authors' code. What is never an input counts among the others. Their
    reconstruction is an L1 norm: a `Laplace` likelihood.

    Args:
        inputs: modalities that are looked at, at least two.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        gamma: weight of reconstructions from another modality.
        delta: weight of the distances. For those of the paper, which rise one after the other, see `warmup`.

    Raises:
        ValueError: names or weights that `Term` refuses; a schedule among the targets' weights as well as in gamma.
    """
    names, weights = inputs_of(inputs), weights_of(targets)
    check_weight(gamma, "gamma")
    rows = [Term((m,), {n: w if n == m else _product(w, gamma, n) for n, w in weights.items()}, kl=beta) for m in names]
    pulls = [Alignment((m,), (n,), delta, wasserstein) for m, n in combinations(names, 2)]
    table = Table(rows, pulls, name="cada")
    return Objective(table, num_particles=num_particles, requires=[TWO_INPUTS, ONE_GAUSSIAN])


def warmup(steps_per_epoch: float) -> dict[str, Schedule]:
    """Return beta, gamma and delta as published: `cada(inputs, targets, **warmup(steps))`.

    Authors' code (github.com/edgarschnfld/CADA-VAE-PyTorch): beta rises to 0.25 over epochs 0 to 93, delta to 8.13 over
    epochs 6 to 22, gamma to 2.37 over epochs 21 to 75, of 100. They change at every epoch there, at every step here.
    They belong to sums over the L1 norms of features, not to other likelihoods.

    Args:
        steps_per_epoch: number of training steps in an epoch.

    Raises:
        ValueError: it is no number above zero.
    """
    if check_number(steps_per_epoch, "steps_per_epoch") == 0:
        raise ValueError("steps_per_epoch: expected a number above zero, got 0")
    ends = {"beta": (0.25, 0, 93), "gamma": (2.37, 21, 75), "delta": (8.13, 6, 22)}
    return {
        name: Schedule(
            0.0, value, steps=max(round((end - begin) * steps_per_epoch), 1), begin=round(begin * steps_per_epoch)
        )
        for name, (value, begin, end) in ends.items()
    }


def _product(weight: Weight, factor: Weight, name: str) -> Weight:
    if not isinstance(weight, Schedule):
        return factor * weight
    if isinstance(factor, Schedule):
        raise ValueError(f"targets: the weight of {name!r} and gamma are both schedules; make one of them a number")
    return weight * factor
