"""A full-covariance Gaussian for each data point, near a mode of its posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyro.distributions as dist
import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from torch import Tensor

from pyro_mmvae.blind import BlindPrior, moments
from pyro_mmvae.estimators.target import Target

_FARTHEST = 2.0
"""Length of a first shift, in standard deviations: a wild draw does not throw the mean away."""


@dataclass(frozen=True)
class Laplace:
    """How a Laplace Gaussian is fitted to each data point.

    Args:
        steps: of Adam towards the mode, before one Newton step.
        learning_rate: of Adam, in units of the posterior's standard deviations; it falls to zero linearly.
        shifts: natural-gradient steps of the mean from the mode to where the Gaussian's ELBO is highest, each from a
            pair of opposite draws. A skewed posterior's mean is not its mode.
    """

    steps: int = 60
    learning_rate: float = 0.1
    shifts: int = 20

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.steps < 0 or self.shifts < 0 or self.learning_rate <= 0:
            raise ValueError(f"expected steps >= 0, shifts >= 0 and learning_rate > 0, got {self}")


@dataclass(frozen=True)
class Gaussians:
    """A mixture of M Gaussians for each of N data points.

    Attributes:
        loc: means, `(M, N, D)`.
        root: symmetric square roots of the covariances, `(M, N, D, D)`.
        inverse: of the roots.
        log_det: log determinants of the inverses, `(M, N)`.
        log_weight: `(M, N)`.
    """

    loc: Tensor
    root: Tensor
    inverse: Tensor
    log_det: Tensor
    log_weight: Tensor

    def sample(self, draws: int) -> Tensor:
        """Return draws, shape `(draws, N, D)`."""
        white = torch.randn(draws, *self.loc.shape[1:], dtype=self.loc.dtype, device=self.loc.device)
        placed = [
            loc + torch.einsum("nij,cnj->cni", root, white) for loc, root in zip(self.loc, self.root, strict=True)
        ]
        if len(placed) == 1:
            return placed[0]
        chosen = torch.distributions.Categorical(logits=self.log_weight.T).sample((draws,))
        index = chosen[None, ..., None].expand(1, *white.shape)
        return torch.stack(placed).gather(0, index).squeeze(0)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density of draws `(C, N, D)`, shape `(C, N)`."""
        parts = []
        for loc, inverse, constant in zip(self.loc, self.inverse, self.log_det + self.log_weight, strict=True):
            white = torch.einsum("nij,cnj->cni", inverse, z - loc)
            size = 0.5 * white.square().sum(-1) + 0.5 * z.shape[-1] * math.log(2 * math.pi)
            parts.append(constant - size)
        return parts[0] if len(parts) == 1 else torch.stack(parts).logsumexp(0)

    def densest_root(self) -> Tensor:
        """Return the root of each data point's heaviest component, shape `(N, D, D)`."""
        return self._densest(self.root)

    def densest_diagonal(self) -> TorchDistribution:
        """Return the diagonal Gaussian closest to each data point's heaviest component, in KL from it to that."""
        precision = self._densest(self.inverse).square().sum(-1)
        return dist.Normal(self._densest(self.loc), precision.rsqrt()).to_event(1)

    def _densest(self, parts: Tensor) -> Tensor:
        heaviest = self.log_weight.argmax(0)
        return parts[heaviest, torch.arange(len(heaviest), device=heaviest.device)]


def laplace(posterior: TorchDistribution, target: Target, settings: Laplace) -> Gaussians:
    """Return N(m, (-Hessian)^-1) of log p(x, z) for each data point, with the Hessian at a mode (Laplace) and m moved.

    The mean moves from the mode to where the Gaussian's ELBO is highest, which is the same place where the posterior is
    Gaussian. This second step is ours; on models of images it halves the variance of annealed weights and more.

    Modes are looked for from the posterior's mean; from the mean of each component where it is a mixture, and the
    result is a mixture too. Its weights are halfway between the guide's and those of Laplace's evidence. Eigenvalues of
    the negative Hessian are kept above the prior's least precision, which is 1 for N(0, I).

    Args:
        posterior: batch shape `(N,)`.
        target: log p(x, z) of the same N points.
        settings: steps and rate.

    Raises:
        IncompatibleError: a decoder or likelihood that cannot be differentiated twice.
    """
    start, unit, log_weight = components(posterior)
    z = _climbed(start, unit, target, settings)
    value, gradient, hessian = target.curvature(z)
    # Symmetric roots: eigenvectors of equal eigenvalues, of which unused dimensions have many, are up to rounding.
    values, vectors = _eigh(-torch.nan_to_num(hessian))
    floor = moments(target.prior)[1].max().pow(-2)
    values = values.clamp_min(floor)
    root = (vectors * values.rsqrt().unsqueeze(-2)) @ vectors.mT
    inverse = (vectors * values.sqrt().unsqueeze(-2)) @ vectors.mT
    step = z + torch.einsum("mnij,mnj->mni", root, torch.einsum("mnij,mnj->mni", root, gradient))
    log_det = 0.5 * values.log().sum(-1)
    after = target.log_joint_in_chunks(step)
    better = after > value  # False for NaN
    mode = torch.where(better.unsqueeze(-1), step, z)
    loc = _shifted(mode, root, target, settings.shifts)
    if len(loc) == 1:
        return Gaussians(loc, root, inverse, log_det, torch.zeros_like(value))
    evidence = torch.where(better, after, value) - log_det
    evidence = torch.where(log_weight.isfinite(), evidence, -torch.inf).log_softmax(0)
    return Gaussians(loc, root, inverse, log_det, torch.logaddexp(evidence, log_weight) - math.log(2))


def components(posterior: TorchDistribution) -> tuple[Tensor, Tensor, Tensor]:
    """Return means and standard deviations `(M, N, D)` and log weights `(M, N)` of what a posterior is made of."""
    if isinstance(posterior, BlindPrior):
        posterior = posterior.posterior
    if not isinstance(posterior, MixtureSameFamily):
        loc, scale = moments(posterior)
        return loc.unsqueeze(0), scale.unsqueeze(0), torch.zeros_like(loc[..., 0]).unsqueeze(0)
    parts, weight = posterior.component_distribution, posterior.mixture_distribution.probs
    log_weight = torch.where(weight > 1e-6, weight, 0.0).log().log_softmax(-1)
    return parts.mean.movedim(-2, 0), parts.stddev.movedim(-2, 0), log_weight.movedim(-1, 0)


def _climbed(start: Tensor, unit: Tensor, target: Target, settings: Laplace) -> Tensor:
    shift = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([shift], lr=settings.learning_rate)
    for step in range(settings.steps):
        optimiser.param_groups[0]["lr"] = settings.learning_rate * (1 - step / settings.steps)
        _, gradient = target.slope(start + unit * shift.detach())
        shift.grad = -unit * gradient
        optimiser.step()
    return start + unit * shift.detach()


def _shifted(mode: Tensor, root: Tensor, target: Target, steps: int) -> Tensor:
    """Return means that maximise E log p(x, z) over N(mean, root^2), shape `(M, N, D)`.

    In whitened coordinates the Hessian is about -1, so the gradient itself is a Newton step; step sizes 1 / i average
    over the draws. Opposite draws cancel all but the skewness: where there is none, nothing moves.
    """
    shift = torch.zeros_like(mode)
    for step in range(steps):
        noise = torch.randn_like(mode)
        white = torch.cat([shift + noise, shift - noise])
        _, gradient = target.slope(mode.repeat(2, 1, 1) + torch.einsum("mnij,mnj->mni", root.repeat(2, 1, 1, 1), white))
        mean = torch.nan_to_num(torch.stack(gradient.chunk(2)).mean(0))
        ascent = torch.einsum("mnij,mnj->mni", root, mean)
        length = ascent.norm(dim=-1, keepdim=True)
        shift = shift + ascent * (_FARTHEST / length.clamp_min(_FARTHEST)) / (step + 1)
    return mode + torch.einsum("mnij,mnj->mni", root, shift)


def _eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues and eigenvectors; on the host where the device cannot find them."""
    device = matrices.device
    found = torch.linalg.eigh(matrices.cpu() if device.type == "mps" else matrices)
    return found.eigenvalues.to(device), found.eigenvectors.to(device)
