"""Generalised product of experts."""

from __future__ import annotations

from collections.abc import Sequence

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import product_of_normals, shares_of_product
from pyro_mmvae.guide import ExpertGuide, masked_features, masked_logits
from pyro_mmvae.modality import Modality


class GPoE(ExpertGuide):
    """Product of experts raised to learned powers, q(z) ~ prod_m q_m(z)^alpha_m (Joshi et al. 2022, eq. 7-10).

    The powers alpha_m(x) are set per latent dimension by feed-forward layers that see the features of all observed
    modalities; a softmax makes them sum to one over the observed modalities, so that a single one has power one.

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        hidden: width of the hidden layer between features and powers.
    """

    def __init__(self, modalities: Sequence[Modality], latent_dim: int, *, hidden: int = 128) -> None:
        super().__init__(modalities, latent_dim)
        self.credibility = nn.Sequential(
            nn.Linear(sum(self.feature_sizes.values()), hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(self.inputs) * latent_dim),
        )

    def alpha(self, features: Sequence[Tensor], observed: Tensor) -> Tensor:
        """Return the powers of the experts.

        Args:
            features: shapes `(B, F_m)`.
            observed: bool, shape `(*lead, B, M)`.

        Returns:
            Shape `(*lead, B, M, D)`; zero where not observed, summing to one over M where anything is.
        """
        logits = self.credibility(masked_features(features, observed)).unflatten(-1, (-1, self.latent_dim))
        seen = observed.unsqueeze(-1)
        return masked_logits(logits, seen).softmax(dim=-2) * seen

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Return the powers alpha by input, each of shape `(*lead, B, D)`; see `Guide.weights`."""
        return self.by_input(self.alpha(self.features(batch), self.observed(batch)))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the weighted product of the observed experts."""
        return product_of_normals(*self._factors(batch))

    def influence(self, batch: Batch) -> dict[str, Tensor]:
        """Return each expert's share of the product's precision, power included; see `Guide.influence`."""
        return self.by_input(shares_of_product(self._factors(batch)[1]))

    def _factors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        features = self.features(batch)
        experts = self.experts(features)
        return experts.loc, self.alpha(features, self.observed(batch)) * experts.scale.pow(-2)
