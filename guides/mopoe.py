"""Mixture of products of experts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import mixture_of_normals
from pyro_mmvae.guide import masked_logits
from pyro_mmvae.guides.poe import PoE, PriorExpert
from pyro_mmvae.modality import Modality

_MAX_INPUTS = 8


class MoPoE(PoE):
    """The mixture of the products of experts of all subsets, equal weights (Sutter et al. 2021, arXiv:2105.02470).

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        prior_expert: which products the prior N(0, I) is a factor of: "always" all; "joint" that of the whole set of
            two or more inputs alone, as in the authors' code; "never" none.

    Raises:
        ValueError: an unknown `prior_expert`, or more than 8 inputs, which would need more than 255 components.
    """

    members: Tensor

    def __init__(
        self, modalities: Sequence[Modality], latent_dim: int, *, prior_expert: PriorExpert = "always"
    ) -> None:
        super().__init__(modalities, latent_dim, prior_expert=prior_expert)
        count = len(self.inputs)
        if count > _MAX_INPUTS:
            raise ValueError(
                f"{count} inputs would need {2**count - 1} components; use the guide `poe` with the objective `mopoe`, "
                f"which draws some of the subsets in each step"
            )
        bits = torch.arange(1, 2**count).unsqueeze(-1) >> torch.arange(count)
        self.register_buffer("members", bits % 2 == 1, persistent=False)

    @property
    def num_components(self) -> int:
        """One component for each non-empty subset of the inputs."""
        return len(self.members)

    def is_joint(self, observed: Tensor) -> Tensor:
        """Return where all of two or more inputs are observed: as published, smaller subsets have no prior."""
        return observed.all(dim=-1) & (observed.shape[-1] > 1)

    def component(self, batch: Batch) -> TorchDistribution:
        """Return the product of all observed experts: the component of exactly what is observed."""
        return super().posterior(batch)

    def point(self, batch: Batch) -> Tensor:
        """Return the mean of the component of exactly what is observed: the most informed one."""
        mean: Tensor = self.component(batch).mean
        return mean

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the mixture; the component of a subset that is not observed throughout has weight zero."""
        experts, observed = self.experts(self.features(batch)), self.observed(batch)
        precision = experts.scale.pow(-2)
        # Every row of `members` is a pattern of what is observed, and its product one of these.
        total = _over_subsets(precision) + self.prior_precision(self.members)
        loc = _over_subsets(experts.loc * precision) / total
        there = (observed.unsqueeze(-2) | ~self.members).all(dim=-1)  # (*lead, B, S)
        anything = observed.any(dim=-1)[..., None, None]
        shape = (*there.shape, self.latent_dim)
        loc = torch.where(anything, loc, 0.0).expand(shape)
        scale = torch.where(anything, total.rsqrt(), 1.0).expand(shape)
        logits = masked_logits(torch.zeros_like(loc[..., 0]), there)
        return mixture_of_normals(logits, loc, scale)


def _over_subsets(value: Tensor) -> Tensor:
    """Sum over the members of every subset, in the order of `MoPoE.members`; `(B, M, D)` becomes `(B, S, D)`."""
    # Not as a matrix product, which autocast would compute in half precision: precisions are beyond its range.
    total = torch.zeros_like(value[:, :1])
    for one in value.split(1, dim=1):
        total = torch.cat([total, total + one], dim=1)
    return total[:, 1:]  # the first subset is the empty one
