"""The generative model p(z) prod_m p(x_m | z), as a Pyro program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyro
import pyro.distributions as dist
import pyro.poutine as poutine
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.likelihoods.base import Likelihood
from pyro_mmvae.modality import Modality, distinct
from pyro_mmvae.shapes import over_leading
from pyro_mmvae.values import floats_of, read


class MultimodalVAE(nn.Module):
    """Multimodal latent-variable model: z ~ N(0, I), and every modality is independent given z.

    It knows nothing of experts, beta or particles: those belong to guides and objectives. It may be run under
    further plates to the left of "data" (particles, strata, the terms of an objective).

    Args:
        modalities: those with a decoder become sites of the model; the others are ignored.
        latent_dim: dimension D of z.

    Raises:
        ValueError: two modalities of one name, or none with a decoder.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, modalities: Sequence[Modality], latent_dim: int) -> None:
        super().__init__()
        modalities, latent_dim = distinct(modalities), check_count(latent_dim, "latent_dim")
        decoders = {m.name: m.decoder for m in modalities if m.decoder is not None}
        if not decoders:
            raise ValueError("the model needs at least one modality with a decoder")
        self.latent_dim = latent_dim
        self.decoders = nn.ModuleDict(decoders)
        self.likelihoods = nn.ModuleDict(
            {m.name: m.likelihood for m in modalities if m.name in decoders and m.likelihood}
        )
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities that the model generates."""
        return tuple(self.decoders)

    def prior(self) -> TorchDistribution:
        """Return p(z), batch shape `()` and event shape `(D,)`."""
        return dist.Normal(self.loc, self.scale).to_event(1)

    def normalised(self, names: Iterable[str]) -> bool:
        """Whether the likelihoods of all these modalities are densities rather than energies."""
        return all(self.likelihood(name).normalised for name in names)

    def forward(self, batch: Batch) -> Tensor:
        """Run the generative program on the modalities that the batch holds.

        Args:
            batch: modalities that the model does not generate are ignored; what is not observed is masked.

        Returns:
            z, shape `(*lead, B, D)`.
        """
        with pyro.plate("data", batch.size, dim=-1):
            z = pyro.sample("z", self.prior())
            for name in self.names:
                if name in batch.data:
                    distribution = self.decode(z, name)
                    with poutine.mask(mask=batch.observed[name]):
                        pyro.sample(name, distribution, obs=self.values(batch, name, distribution))
        return z

    def decode(self, z: Tensor, name: str) -> TorchDistribution:
        """Return p(x_m | z).

        Args:
            z: shape `(*lead, D)`.
            name: the modality.

        Returns:
            A distribution with batch shape `lead`.

        Raises:
            ValueError: the decoder's output does not have the shape that the likelihood needs.
        """
        distribution: TorchDistribution = self.likelihood(name)(self._params(z, name))
        return distribution

    def values(self, batch: Batch, name: str, distribution: TorchDistribution) -> Tensor:
        """Return what a batch holds of a modality, as its likelihood reads it, shape `(B, *event)`.

        Zero where it is not observed; floats and booleans are of the type of the decoder's output, and so are whole
        numbers, unless the distribution is of such.

        Raises:
            ValueError: the values lie on another device than the decoder, or are beyond the range of its type.
        """
        try:
            discrete = bool(distribution.support.is_discrete)
        except NotImplementedError:
            discrete = False
        return read(batch, name, self.decoders[name], torch.get_default_dtype(), integers=discrete)

    def predict(self, z: Tensor, name: str) -> Tensor:
        """Return the point estimate of a modality (see `Likelihood.predict`), shape `(*lead, *event)`."""
        return self.likelihood(name).predict(self._params(z, name))

    def _params(self, z: Tensor, name: str) -> Tensor:
        expected = self.likelihood(name).param_shape
        like = floats_of(self.decoders[name])
        # A guide in half precision draws in single precision.
        params = over_leading(self.decoders[name], z if like is None else z.to(like.dtype))
        if params.shape[z.dim() - 1 :] != expected:
            raise ValueError(
                f"decoder of {name!r}: expected an output of shape (N, {', '.join(map(str, expected))}), as its "
                f"likelihood {type(self.likelihoods[name]).__name__} says, got (N, "
                f"{', '.join(map(str, params.shape[z.dim() - 1 :]))})"
            )
        # Log densities summed over an image are beyond half precision.
        return params.float() if params.dtype in (torch.float16, torch.bfloat16) else params

    def likelihood(self, name: str) -> Likelihood:
        """Return the likelihood of a modality.

        Raises:
            ValueError: the model does not decode it.
        """
        if name not in self.likelihoods:
            names_of([name], "modality", known=self.names)
        likelihood = self.likelihoods[name]
        if not isinstance(likelihood, Likelihood):
            raise TypeError(f"expected a Likelihood for {name!r}, got {type(likelihood).__name__}")
        return likelihood
