"""Divergences between posteriors, in closed form where one exists and by Monte Carlo elsewhere."""

from __future__ import annotations

from typing import Protocol

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Independent, Normal

from pyro_mmvae.requirements import ONE_GAUSSIAN, requiring


class Divergence(Protocol):
    """A divergence between two batched distributions.

    One that does not work with every guide says so by an attribute `requires`, see `requirements.requiring`.
    """

    def __call__(self, q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor) -> Tensor:
        """Return the divergence.

        Args:
            q: posterior of one subset, batch shape `(N, B)`.
            p: posterior of the other.
            z: draws from q, shape `(*lead, N, B, D)`.
            both: bool `(N, B)`, the samples of which both subsets show something. What is returned for the others is
                not used; a statistic of the whole batch leaves them out.

        Returns:
            Shape `(N, B)`, or `(*lead, N, B)` for an estimate from the draws.
        """
        ...


def kl(q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor | None = None) -> Tensor:
    """Return KL(q || p), analytic where PyTorch has a closed form, else log q(z) - log p(z) for z ~ q."""
    try:
        return torch.distributions.kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


def sampled_kl(q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor | None = None) -> Tensor:
    """Return log q(z) - log p(z), an unbiased estimate of KL(q || p) for z ~ q."""
    return q.log_prob(z) - p.log_prob(z)


@requiring(ONE_GAUSSIAN)
def wasserstein(q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor | None = None) -> Tensor:
    """Return the 2-Wasserstein distance of diagonal Gaussians (Schonfeld et al. 2019, arXiv:1812.01784, eq. 4).

    Raises:
        TypeError: one of the two is not a diagonal Gaussian.
    """
    return torch.linalg.vector_norm(_gap(q, p), dim=-1)


@requiring(ONE_GAUSSIAN)
def squared_wasserstein(q: TorchDistribution, p: TorchDistribution, z: Tensor, both: Tensor | None = None) -> Tensor:
    """Return the squared 2-Wasserstein distance of diagonal Gaussians.

    To N(0, I) it is sum_d mu_d^2 + (sigma_d - 1)^2, an L2 penalty on the parameters of an inference network.

    Raises:
        TypeError: one of the two is not a diagonal Gaussian.
    """
    return _gap(q, p).square().sum(-1)


def _gap(q: TorchDistribution, p: TorchDistribution) -> Tensor:
    for d in (q, p):
        if not (isinstance(d, Independent) and isinstance(d.base_dist, Normal)):
            raise TypeError(f"the Wasserstein distance needs diagonal Gaussian posteriors, got {d}")
    return torch.cat([q.base_dist.loc - p.base_dist.loc, q.base_dist.scale - p.base_dist.scale], dim=-1)
