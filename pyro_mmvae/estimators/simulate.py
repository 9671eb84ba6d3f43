"""Data points that a model makes, and the latent vectors that made them."""

from __future__ import annotations

from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.model import MultimodalVAE


def simulated(model: MultimodalVAE, num_points: int) -> tuple[Tensor, Batch]:
    """Return z ~ p(z), shape `(N, D)`, and x ~ p(x | z) of every modality that has a density.

    Given x, z is an exact draw from the posterior p(z | x).
    """
    z = model.prior().sample((num_points,))
    names = [name for name in model.names if model.normalised([name])]
    return z, Batch.of({name: model.decode(z, name).sample() for name in names})
