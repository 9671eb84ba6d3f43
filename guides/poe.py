"""Product of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import product_of_normals, shares_of_product
from pyro_mmvae.guide import ExpertGuide
from pyro_mmvae.modality import Modality
from pyro_mmvae.requirements import STANDARD_PRIOR, Requirement

PriorExpert = Literal["always", "joint", "never"]
"""Which products the prior N(0, I) is a factor of."""


class PoE(ExpertGuide):
    """Product of Gaussian experts (Wu & Goodman 2018, arXiv:1802.05335; Gupta 2021, eq. 5.6-5.9).

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        prior_expert: which products the prior N(0, I) is a factor of. "always": all, that of a lone expert too, as in
            Wu & Goodman; the exact posterior is then a member of the family wherever q_m(z) = p(z | x_m) / p(z) up to
            a constant. "joint": those of two or more observed experts, sample by sample, so that a lone input keeps
            its own expert, as in Gupta. "never", as in Joshi et al. 2022, eq. 4-6.

    Raises:
        ValueError: an unknown `prior_expert`.
    """

    def __init__(
        self, modalities: Sequence[Modality], latent_dim: int, *, prior_expert: PriorExpert = "always"
    ) -> None:
        super().__init__(modalities, latent_dim)
        if prior_expert not in get_args(PriorExpert):
            raise ValueError(f"prior_expert: expected 'always', 'joint' or 'never', got {prior_expert!r}")
        self.prior_expert = prior_expert

    @property
    def requires(self) -> tuple[Requirement, ...]:  # type: ignore[override]
        """A factor N(0, I) is the prior only where the model has it."""
        return () if self.prior_expert == "never" else (STANDARD_PRIOR,)

    @property
    def keeps_lone_expert(self) -> bool:
        """Not if the prior multiplies a lone expert too."""
        return self.prior_expert != "always"

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the product of the observed experts."""
        return product_of_normals(*self._factors(batch))

    def influence(self, batch: Batch) -> dict[str, Tensor]:
        """Return each expert's share of the product's precision, the prior's left out; see `Guide.influence`."""
        _, precision, prior_precision = self._factors(batch)
        return self.by_input(shares_of_product(precision, prior_precision))

    def _factors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | float]:
        experts, observed = self.experts(self.features(batch)), self.observed(batch)
        precision = torch.where(observed.unsqueeze(-1), experts.scale.pow(-2), 0.0)
        return experts.loc, precision, self.prior_precision(observed)

    def prior_precision(self, observed: Tensor) -> Tensor | float:
        """Return the precision of the prior's expert in the product of all that is observed.

        Args:
            observed: bool, shape `(*lead, B, M)`.

        Returns:
            A number, or zeros and ones of shape `(*lead, B, 1)`.
        """
        if self.prior_expert != "joint":
            return float(self.prior_expert == "always")
        return self.is_joint(observed).unsqueeze(-1).float()

    def is_joint(self, observed: Tensor) -> Tensor:
        """Return which samples have a joint product, bool `(*lead, B)` for `observed` of shape `(*lead, B, M)`."""
        return observed.sum(dim=-1) > 1
