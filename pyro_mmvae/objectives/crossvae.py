"""Crossmodal VAEs over chosen pairs of modalities in one latent space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyro_mmvae.objective import Objective
from pyro_mmvae.schedules import Weight, check_weight, scaled
from pyro_mmvae.table import Table, Term, inputs_of, weights_of


def crossvae(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    *,
    beta: Weight = 1.0,
    num_particles: int = 1,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Objective:
    """Return sum over pairs (m, m') of rec({m} -> {m'}) - beta KL_m.

    Spurr et al. 2018, arXiv:1803.11404: the loss of every pair is an ELBO of its own, with a KL of its own. They train
    on one pair after another; here a step has all of them, and those that start from the same modality share a draw.
    "Cross-modal Variational Alignment of Latent Spaces" calls it CM-VAE and has the pairs image to image, ingredients
    to ingredients and image to ingredients.

    Args:
        inputs: modalities that are looked at.
        targets: decoded modalities, with weights lambda or with weight one.
        beta: weight of the KLs.
        num_particles: latent draws for each sample and row.
        pairs: from which input which target is decoded; every input decodes every target when left out.

    Raises:
        ValueError: names or weights that `Term` refuses; a pair of something else, one twice, or none.
    """
    names, weights = inputs_of(inputs), weights_of(targets)
    check_weight(beta, "beta")
    chosen = [(m, n) for m in names for n in weights] if pairs is None else [tuple(pair) for pair in pairs]
    if wrong := [p for p in chosen if len(p) != 2 or p[0] not in names or p[1] not in weights]:
        raise ValueError(
            f"pairs: expected (input, target) of inputs {list(names)}, targets {list(weights)}, got {wrong}"
        )
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"pairs: expected at least one pair, and each once, got {chosen}")
    rows = []
    for name in dict.fromkeys(m for m, _ in chosen):
        decode = {n: weights[n] for m, n in chosen if m == name}
        rows.append(Term((name,), decode, kl=scaled(beta, len(decode)) if len(decode) > 1 else beta))
    return Objective(Table(rows, name="crossvae"), num_particles=num_particles)
