"""Posteriors of some modalities mapped into the latent space of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self, get_args

import torch
from pyro.distributions import Normal, TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.arguments import check_count
from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.hierarchical import Hierarchical
from pyro_mmvae.distributions.product import moment_average, product_of_normals
from pyro_mmvae.guide import GaussianHead, Guide
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.modality import Modality, distinct
from pyro_mmvae.networks.mlp import fully_connected
from pyro_mmvae.requirements import Requirement

Fusion = Literal["poe", "moe_moments"]
"""How Gaussians of several inputs become one, named after the guides of these rules."""
Gaussian = tuple[Tensor, Tensor]
"""Means and standard deviations, shapes `(*lead, B, D)`."""


class Mapper(Guide):
    """Cross-modal variational alignment: posteriors of sources, mapped into the space of another modality.

    "Cross-modal Variational Alignment of Latent Spaces", section 3. The lower branch encodes the modality `onto` (M2
    there) into z; the upper branch encodes a source (M1) into a space of its own. In between is the mapper: VE makes an
    intermediate Gaussian of the source's mean and standard deviation, and VD makes a Gaussian of z of a draw from it.
    Given `onto` alone the posterior is the lower branch's; given one source alone it is the mapped one.

    Ours: any number of sources, each with a mapper of its own, of which any may be missing; and one rule that fuses the
    Gaussians of all that is observed, `onto` included. One is kept as it is.

    The posterior is `Hierarchical`, the intermediate's draws being the inner ones: those of an input that is not
    observed are of N(0, I).

    Args:
        modalities: those with an encoder become inputs; the others are ignored.
        latent_dim: dimension D of z, which is the lower branch's.
        onto: the modality whose space is mapped onto; the last input when left out. All other inputs are sources.
        upper: guide of the upper branch, whose posterior given one source alone is that source's. It encodes at least
            the sources, by the same encoders. When left out, one with an expert for each source.
        lower: guide of the lower branch, whose posterior given `onto` alone counts; likewise.
        upper_dim: latent dimension of the upper branch that is made; that of z when left out.
        intermediate_dim: dimension of the intermediate Gaussian; that of z when left out.
        widths: of hidden layers in VE and VD each. None is the paper's: one fully connected layer.
        fusion: "poe", the product, or "moe_moments", the Gaussian with the averages of means and variances.

    Attributes:
        upper: the upper branch's guide; None without a source.
        lower: the lower branch's.
        mappers: VE and VD by source; what phase 2 of the paper trains.
        sources: names.

    Raises:
        ValueError: an input to map onto that does not exist, an unknown fusion, or a branch that does not encode what
            it is for, has another latent dimension, or encodes by other encoders.
    """

    upper: Guide | None

    def __init__(
        self,
        modalities: Sequence[Modality],
        latent_dim: int,
        *,
        onto: str | None = None,
        upper: Guide | None = None,
        lower: Guide | None = None,
        upper_dim: int | None = None,
        intermediate_dim: int | None = None,
        widths: Sequence[int] = (),
        fusion: Fusion = "poe",
    ) -> None:
        nn.Module.__init__(self)  # encoders are the branches'
        inputs = {m.name: m for m in distinct(modalities) if m.encoder is not None}
        if not inputs:
            raise ValueError("the guide needs at least one modality with an encoder")
        if onto is not None and onto not in inputs:
            raise ValueError(f"onto {onto!r} has no encoder; choose one of {list(inputs)}")
        if fusion not in (known := get_args(Fusion)):
            raise ValueError(f"fusion: expected one of {known}, got {fusion!r}")
        self.latent_dim = check_count(latent_dim, "latent_dim")
        self.onto = list(inputs)[-1] if onto is None else onto
        self.sources = tuple(name for name in inputs if name != self.onto)
        self.fusion = fusion
        self.intermediate_dim = (
            latent_dim if intermediate_dim is None else check_count(intermediate_dim, "intermediate_dim")
        )
        self.lower = _branch("lower", lower, [inputs[self.onto]], latent_dim)
        self.upper, self.mappers = None, nn.ModuleDict()
        if self.sources:
            self.upper = above = _branch("upper", upper, [inputs[name] for name in self.sources], upper_dim, latent_dim)
            for name in self.sources:
                self.mappers[name] = _Mapping(above.latent_dim, self.intermediate_dim, self.latent_dim, widths)

    @classmethod
    def over(cls, guide: Guide, onto: str, sources: Sequence[str] | None = None, **options: Any) -> Self:
        """Return a mapper over a finished guide, from its posteriors of single sources to that of `onto`.

        Both branches are that guide, which is not copied. In the paper: "+ Mapper" on CM-VAE and CADA-VAE.

        Args:
            guide: encodes `onto` and the sources.
            onto: see `Mapper`.
            sources: all other inputs when left out.
            options: of `Mapper`.

        Raises:
            ValueError: see `Mapper`.
        """
        names = [n for n in guide.inputs if n != onto] if sources is None else list(sources)
        if unknown := [n for n in (*names, onto) if n not in guide.inputs]:
            raise ValueError(f"the guide does not encode {unknown}; it encodes {list(guide.inputs)}")
        parts = [Modality(n, encoder=guide.encoders[n], features=guide.feature_sizes[n]) for n in (*names, onto)]
        return cls(parts, guide.latent_dim, onto=onto, upper=guide, lower=guide, **options)

    @property
    def encoders(self) -> nn.ModuleDict:  # type: ignore[override]
        """The branches' encoders of the inputs, in their order; to exchange one, exchange it in its branch."""
        return nn.ModuleDict({name: guide.encoders[name] for name, guide in self._owners().items()})

    @property
    def feature_sizes(self) -> dict[str, int]:  # type: ignore[override]
        """Number of features of every input."""
        return {name: guide.feature_sizes[name] for name, guide in self._owners().items()}

    @property
    def requires(self) -> tuple[Requirement, ...]:  # type: ignore[override]
        """What the lower branch requires; the upper one has a model of its own."""
        return self.lower.requires

    @property
    def has_inner(self) -> bool:
        """The intermediate Gaussian is drawn, if there is a source."""
        return bool(self.sources)

    @property
    def branches(self) -> Mapping[str, Guide]:
        """The upper branch, `upper`."""
        return {} if self.upper is None else {"upper": self.upper}

    def _owners(self) -> dict[str, Guide]:
        above = {} if self.upper is None else dict.fromkeys(self.sources, self.upper)
        return {**above, self.onto: self.lower}

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the mapped Gaussians, and the lower branch's, of what is observed, fused."""
        batch, observed = batch.zero_filled(), self.observed(batch)
        own = _moments(self.lower, self.onto, batch)
        if self.upper is None:
            return self._fused([own], observed)
        each = [self._mapping(n).encode(torch.cat(_moments(self.upper, n, batch), dim=-1)) for n in self.sources]
        loc, scale = (torch.stack(part, dim=-2) for part in zip(*each, strict=True))
        seen = observed[..., :-1].unsqueeze(-1)
        inner = Normal(torch.where(seen, loc, 0.0), torch.where(seen, scale, 1.0)).to_event(2)
        return Hierarchical(inner, partial(self._given, own, observed), (self.latent_dim,))

    def _given(self, own: Gaussian, observed: Tensor, intermediate: Tensor) -> TorchDistribution:
        """Return q(z | intermediate draws), which have shape `(*lead, B, sources, intermediate_dim)`."""
        mapped = [self._mapping(n).decode(intermediate.select(-2, i)) for i, n in enumerate(self.sources)]
        return self._fused([*mapped, own], observed)

    def _fused(self, experts: Sequence[Gaussian], observed: Tensor) -> TorchDistribution:
        """Return the Gaussian of all that is observed, of those of all inputs."""
        loc, scale = (_stacked(part) for part in zip(*experts, strict=True))
        seen = observed.unsqueeze(-1)
        if self.fusion == "moe_moments":
            return moment_average(loc, scale, (seen / seen.sum(-2, keepdim=True).clamp_min(1)).to(scale.dtype))
        return product_of_normals(loc, torch.where(seen, scale.pow(-2), 0.0))

    def _mapping(self, source: str) -> _Mapping:
        mapping = self.mappers[source]
        assert isinstance(mapping, _Mapping)
        return mapping


class _Mapping(nn.Module):
    """VE and VD of one source."""

    def __init__(self, upper_dim: int, intermediate_dim: int, latent_dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.ve = _gaussian(2 * upper_dim, widths, intermediate_dim)
        self.vd = _gaussian(intermediate_dim, widths, latent_dim)

    def encode(self, moments: Tensor) -> Gaussian:
        """Return the intermediate Gaussian for `(*lead, 2 upper_dim)`, mean and standard deviation of a posterior."""
        loc, scale = self.ve(moments)
        return loc, scale

    def decode(self, intermediate: Tensor) -> Gaussian:
        """Return the mapped Gaussian for draws `(*lead, intermediate_dim)`."""
        loc, scale = self.vd(intermediate)
        return loc, scale


def _gaussian(inputs: int, widths: Sequence[int], outputs: int) -> nn.Sequential:
    sizes = (inputs, *widths)
    return nn.Sequential(*fully_connected(sizes), GaussianHead(sizes[-1], outputs))


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Stack values of inputs, of shapes that broadcast, along dimension -2."""
    # Under autocast the types of branches may differ.
    dtype = parts[0].dtype
    return torch.stack(torch.broadcast_tensors(*(part.to(dtype) for part in parts)), dim=-2)


def _branch(
    which: str, guide: Guide | None, modalities: list[Modality], latent_dim: int | None, default: int | None = None
) -> Guide:
    """Return a branch: the one that was given, if it is as it should be, or one with an expert for each modality."""
    if guide is None:
        size = default if latent_dim is None else latent_dim
        assert size is not None
        return PoE(modalities, size, prior_expert="never")  # given one input: that input's own Gaussian
    if latent_dim not in (None, guide.latent_dim):
        raise ValueError(f"{which}: expected a guide of latent dimension {latent_dim}, got one of {guide.latent_dim}")
    if lacking := [m.name for m in modalities if m.name not in guide.inputs]:
        raise ValueError(f"{which}: expected a guide that encodes {lacking}, it encodes {list(guide.inputs)}")
    if others := [m.name for m in modalities if guide.encoders[m.name] is not m.encoder]:
        raise ValueError(f"{which}: its encoders of {others} are not those of the modalities; give both the same ones")
    return guide


def _moments(guide: Guide, name: str, batch: Batch) -> Gaussian:
    """Return mean and standard deviation of a guide's posterior of one input, `(B, D)`; once, whatever the rows."""
    if name not in batch.data:
        like = next(guide.parameters()).new_zeros(batch.size, guide.latent_dim)
        return like, torch.ones_like(like)
    value = batch.data[name]
    seen = torch.ones(value.shape[0], dtype=torch.bool, device=value.device)
    posterior = guide.posterior(Batch({name: value}, {name: seen}, zeroed=True))
    return posterior.mean, posterior.stddev
