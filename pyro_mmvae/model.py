"""The generative model p(z) prod_m p(x_m | z), as a Pyro program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyro
import pyro.poutine as poutine
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.arguments import check_count, check_name, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.likelihoods.base import Likelihood
from pyro_mmvae.modality import Modality, distinct
from pyro_mmvae.priors.base import Prior
from pyro_mmvae.priors.standard_normal import StandardNormal
from pyro_mmvae.recorded import Noted, Recorded
from pyro_mmvae.shapes import over_leading
from pyro_mmvae.values import floats_of, read


class MultimodalVAE(Recorded, nn.Module, instead={"modalities": Noted.MODALITIES}):
    """Multimodal latent-variable model: z ~ p(z), and every modality is independent given z.

    It knows nothing of experts, beta or particles: those belong to guides and objectives. It may be run under
    further plates to the left of "data" (particles, strata, the terms of an objective).

    Args:
        modalities: those with a decoder become sites of the model; the others are ignored.
        latent_dim: dimension D of z.
        prior: p(z), see `priors`; N(0, I) when left out. Its parameters are the model's.
        branches: further models of the same data, by name, each with a latent space and decoders of its own. They are
            no part of this density: an objective trains them, with the guide's branches of the same names
            (`Objective(..., branches=...)`).

    Attributes:
        prior: the module; `model.prior()` is the density.

    Raises:
        ValueError: two modalities of one name, none with a decoder, or a prior of another dimension.
    """

    prior: Prior
    _place: Tensor

    def __init__(
        self,
        modalities: Sequence[Modality],
        latent_dim: int,
        prior: Prior | None = None,
        branches: Mapping[str, MultimodalVAE] | None = None,
    ) -> None:
        super().__init__()
        modalities, latent_dim = distinct(modalities), check_count(latent_dim, "latent_dim")
        decoders = {m.name: m.decoder for m in modalities if m.decoder is not None}
        if not decoders:
            raise ValueError("the model needs at least one modality with a decoder")
        if prior is not None and prior.latent_dim != latent_dim:
            raise ValueError(f"prior: expected one of latent_dim = {latent_dim}, got one of {prior.latent_dim}")
        self.latent_dim = latent_dim
        self.prior = StandardNormal(latent_dim) if prior is None else prior
        self.decoders = nn.ModuleDict(decoders)
        self.likelihoods = nn.ModuleDict(
            {m.name: m.likelihood for m in modalities if m.name in decoders and m.likelihood}
        )
        for name in branches or {}:
            check_name(name, "a branch's name")
        self.branches = nn.ModuleDict(branches or {})
        self.register_buffer("_place", torch.zeros(()), persistent=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities that the model generates."""
        return tuple(self.decoders)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._place.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of z."""
        return self._place.dtype

    def normalised(self, names: Iterable[str]) -> bool:
        """Whether the likelihoods of all these modalities are densities rather than energies."""
        return all(self.likelihood(name).normalised for name in names)

    def forward(self, batch: Batch, prior: TorchDistribution | None = None) -> Tensor:
        """Run the generative program on the modalities that the batch holds.

        Under `pyro.infer.Predictive` every modality is generated where it is not observed, whether the batch holds it
        or not; observed values are handed back.

        Args:
            batch: modalities that the model does not generate are ignored; what is not observed is masked.
            prior: p(z), if it is at hand; making it may take the pass of a network.

        Returns:
            z, shape `(*lead, B, D)`.
        """
        with pyro.plate("data", batch.size, dim=-1):
            z = pyro.sample("z", self.prior() if prior is None else prior)
            predicting = poutine.get_mask() is False  # so says Predictive: nobody wants a density
            for name in self.names:
                if predicting:
                    self._generate(z, name, batch)
                elif name in batch.data:
                    distribution = self.decode(z, name)
                    with poutine.mask(mask=batch.observed[name]):
                        pyro.sample(name, distribution, obs=self.values(batch, name, distribution))
        return z

    def _generate(self, z: Tensor, name: str, batch: Batch) -> None:
        """Sample a modality where it is not observed; observed values are handed back."""
        if not self.normalised([name]):
            if name not in batch.data:
                return
            if not bool(batch.observed[name].all()):
                raise IncompatibleError(
                    f"the likelihood {type(self.likelihood(name)).__name__} of {name!r} is an energy and cannot be "
                    f"drawn from; leave it out by batch.only([...]), or decode a point with model.predict(z, {name!r})"
                )
        distribution = self.decode(z, name)
        value = self.values(batch, name, distribution) if name in batch.data else None
        if value is not None and not bool((observed := batch.observed[name]).all()):
            seen = observed.reshape(observed.shape + (1,) * len(distribution.event_shape))
            value = torch.where(seen, value, distribution.sample())
        pyro.sample(name, distribution, obs=value)

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
