"""The linear-Gaussian model: the one multimodal model whose likelihoods and posteriors are exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pyro_mmvae.batch import Batch
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.guide import ExpertGuide, GaussianHead
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.modality import Modality
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians


class LinearGaussian:
    """z ~ p(z), x_m = W_m z + b_m + noise_m e: a reference against which guides, bounds and priors are checked.

    The columns of every W_m are orthogonal, so that p(x_m | z) as a function of z is a *diagonal* Gaussian and, under
    the prior N(0, I), the product of experts can be the exact posterior. A mixture of Gaussians as the prior makes
    p(x_S) a mixture of Gaussians, which is exact as well.

    Args:
        sizes: number of values of every modality, by name; each at least `latent_dim`.
        latent_dim: dimension D of z.
        seed: of the random weights.
        dtype: of everything; the prior is converted.
        prior: N(0, I) when left out.

    Raises:
        ValueError: a modality with fewer values than latent dimensions.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        latent_dim: int = 2,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        prior: MixtureOfGaussians | None = None,
    ) -> None:
        if small := [name for name, size in sizes.items() if size < latent_dim]:
            raise ValueError(f"modalities {small} need at least latent_dim = {latent_dim} values")
        generator = torch.Generator().manual_seed(seed)
        self.latent_dim, self.sizes, self.dtype = latent_dim, dict(sizes), dtype
        self.prior = None if prior is None else prior.to(dtype)
        self.weight: dict[str, Tensor] = {}
        self.bias: dict[str, Tensor] = {}
        self.noise: dict[str, float] = {}
        for index, (name, size) in enumerate(sizes.items()):
            columns, _ = torch.linalg.qr(torch.randn(size, latent_dim, generator=generator, dtype=torch.float64))
            gain = 0.5 + torch.rand(latent_dim, generator=generator, dtype=torch.float64)
            self.weight[name] = (columns * gain).to(dtype)
            self.bias[name] = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)
            self.noise[name] = 0.5 + 0.2 * index

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.sizes)

    def modalities(self) -> list[Modality]:
        """Return modalities whose decoders are exact and whose encoders pass the value through."""
        return [
            Modality(n, Normal((size,), scale=self.noise[n]), self._decoder(n), nn.Identity(), features=size)
            for n, size in self.sizes.items()
        ]

    def model(self) -> MultimodalVAE:
        """Return the model, in the dtype of the reference."""
        return MultimodalVAE(self.modalities(), self.latent_dim, prior=self.prior).to(self.dtype)

    def _decoder(self, name: str) -> nn.Linear:
        decoder = nn.Linear(self.latent_dim, self.sizes[name], dtype=self.dtype)
        with torch.no_grad():
            decoder.weight.copy_(self.weight[name])
            decoder.bias.copy_(self.bias[name])
        return decoder

    def sample(self, num_samples: int, seed: int = 0) -> Batch:
        """Draw complete data from the model."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(num_samples, self.latent_dim, generator=generator, dtype=self.dtype)
        if self.prior is not None:
            weight, loc, scale = self._components()
            chosen = torch.multinomial(weight, num_samples, replacement=True, generator=generator)
            z = loc[chosen] + scale[chosen] * z
        data = {}
        for n, size in self.sizes.items():
            noise = torch.randn(num_samples, size, generator=generator, dtype=self.dtype)
            data[n] = z @ self.weight[n].T + self.bias[n] + self.noise[n] * noise
        return Batch.of(data)

    def log_prob(self, batch: Batch, names: Iterable[str] | None = None) -> Tensor:
        """Return the exact log p(x_S) of every sample, S what is observed among `names`; shape `(B,)`."""
        names = self.names if names is None else tuple(names)
        total = torch.zeros(batch.size, dtype=self.dtype)
        for rows, subset in self._patterns(batch, names):
            total[rows] = self._log_marginal(batch, subset, rows)
        return total

    def _log_marginal(self, batch: Batch, subset: Sequence[str], rows: Tensor) -> Tensor:
        if not subset:
            return torch.zeros(len(rows), dtype=self.dtype)
        matrix = torch.cat([self.weight[n] for n in subset])
        variance = torch.cat([torch.full((self.sizes[n],), self.noise[n] ** 2, dtype=self.dtype) for n in subset])
        bias = torch.cat([self.bias[n] for n in subset])
        value = torch.cat([batch.data[n][rows] for n in subset], dim=-1)
        weight, loc, scale = self._components()
        found = [
            share.log()
            + MultivariateNormal(bias + matrix @ m, (matrix * s.square()) @ matrix.T + variance.diag()).log_prob(value)
            for share, m, s in zip(weight, loc, scale, strict=True)
        ]
        return torch.stack(found).logsumexp(0)

    def _components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return weights `(C,)`, means and standard deviations `(C, D)` of the prior's components."""
        if self.prior is None:
            one = torch.ones(1, self.latent_dim, dtype=self.dtype)
            return one[:, 0], torch.zeros_like(one), one
        with torch.no_grad():
            mixture = self.prior()
            parts = mixture.component_distribution.base_dist
            return mixture.mixture_distribution.probs, parts.loc.detach(), parts.scale

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the exact p(z | what is observed), shapes `(B, D)`.

        Raises:
            IncompatibleError: the prior is not N(0, I); the posterior is then a mixture.
        """
        if self.prior is not None:
            raise IncompatibleError("the exact posterior is one Gaussian only under the prior N(0, I)")
        precision = torch.ones(batch.size, self.latent_dim, dtype=self.dtype)
        weighted = torch.zeros_like(precision)
        for n in self.names:
            if n in batch.data:
                loc, scale = self._expert(n, batch.data[n])
                seen = batch.observed[n].unsqueeze(-1)
                precision = precision + seen * scale.pow(-2)
                weighted = weighted + seen * loc * scale.pow(-2)
        return weighted / precision, precision.rsqrt()

    def _expert(self, name: str, value: Tensor) -> tuple[Tensor, Tensor]:
        gain = self.weight[name].square().sum(0)
        loc = (value - self.bias[name]) @ self.weight[name] / gain
        return loc, self.noise[name] * gain.rsqrt()

    def set_exact_experts(self, guide: ExpertGuide) -> None:
        """Set the heads of a guide made from `modalities` so that expert m is proportional to p(x_m | z)."""
        for name in guide.inputs:
            gain = self.weight[name].square().sum(0)
            scale = self.noise[name] * gain.rsqrt()
            head = guide.heads[name]
            if not isinstance(head, GaussianHead):
                raise TypeError(f"expected a GaussianHead for {name!r}, got {type(head).__name__}")
            with torch.no_grad():
                head.linear.weight.zero_()
                head.linear.weight[: self.latent_dim] = (self.weight[name] / gain).T
                head.linear.bias[: self.latent_dim] = -(self.bias[name] @ self.weight[name]) / gain
                head.linear.bias[self.latent_dim :] = torch.log(torch.expm1(scale - head.min_scale))

    def _patterns(self, batch: Batch, names: Sequence[str]) -> list[tuple[Tensor, list[str]]]:
        present = [n for n in names if n in batch.data]
        if not present:
            return []
        observed = torch.stack([batch.observed[n] for n in present], dim=-1)
        found = []
        for pattern in torch.unique(observed, dim=0):
            rows = (observed == pattern).all(-1).nonzero().flatten()
            found.append((rows, [n for n, seen in zip(present, pattern.tolist(), strict=True) if seen]))
        return found
