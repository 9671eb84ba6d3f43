"""Evidence lower bounds on held-out data, whatever the run was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.objective import Objective
from pyro_mmvae.table import Subset, Table, Term, weights_of

CHUNK = 256


@torch.no_grad()
def elbos(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    pairs: Sequence[tuple[Subset, Subset]],
    *,
    num_particles: int = 10,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Return E_q(z|given)[log p(of | z)] - KL(q(z|given) || p(z)), a bound on log p(of), for pairs (given, of).

    Args:
        model: the generative model.
        guide: sees every `given`.
        batch: N samples.
        pairs: subsets (given, of).
        num_particles: latent draws for each sample.
        seed: of the draws.

    Returns:
        For each pair `mean` over the samples, in nats, `se`, its standard error over samples, and `n`.

    Raises:
        ValueError: an empty batch, no pair, or what is no list of names.
        IncompatibleError: names that model, guide or batch do not have.
    """
    if not batch.size:
        raise ValueError("expected at least one data point, got an empty batch")
    table = Table([Term(given, weights_of(of, "of")) for given, of in pairs], name="elbo")
    objective = Objective(table, num_particles=num_particles, validate=False)
    device = next(model.parameters()).device
    with seeded(seed, device):
        values = torch.cat(
            [
                objective.evaluate(model, guide, batch[begin : begin + CHUNK].to(device)).rows.cpu().double()
                for begin in range(0, batch.size, CHUNK)
            ],
            dim=-1,
        )
    return [_summary(row) for row in values]


def _summary(values: Tensor) -> dict[str, float]:
    count = len(values)
    error = float(values.std()) / math.sqrt(count) if count > 1 else math.nan
    return {"mean": float(values.mean()), "se": error, "n": count}
