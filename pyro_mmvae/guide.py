"""What a guide is: a rule that turns whatever is observed into a posterior of z."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyro
import pyro.poutine as poutine
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.nn.functional import softplus

from pyro_mmvae.arguments import check_count
from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.hierarchical import Hierarchical
from pyro_mmvae.distributions.mixture import central_point
from pyro_mmvae.encoding import encoded
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.modality import Modality, distinct
from pyro_mmvae.param_store import Program, enumerates
from pyro_mmvae.recorded import Noted, Recorded
from pyro_mmvae.requirements import Requirement
from pyro_mmvae.values import read


class Guide(Recorded, Program, ABC, instead={"modalities": Noted.MODALITIES}):
    """Inference program q(z | x_S), for any subset S of its inputs and any pattern of missing values.

    A subclass writes `posterior`. Subset and missing values reach it as one mask, `batch.observed`, whose
    leading dimensions (the rows of an objective) become leading dimensions of the posterior.

    Args:
        modalities: those with an encoder become inputs; the others are ignored.
        latent_dim: dimension D of z.

    Attributes:
        requires: what it needs of model and table.
        num_components: number of components if the posterior is a mixture, else 1.

    Raises:
        ValueError: no modality has an encoder, two have one name, or `latent_dim` is no whole number above zero.
    """

    store_name = "guide"
    requires: tuple[Requirement, ...] = ()

    def __init__(self, modalities: Sequence[Modality], latent_dim: int) -> None:
        super().__init__()
        modalities, latent_dim = distinct(modalities), check_count(latent_dim, "latent_dim")
        encoders = {m.name: m.encoder for m in modalities if m.encoder is not None}
        if not encoders:
            raise ValueError("the guide needs at least one modality with an encoder")
        self.latent_dim = latent_dim
        self.encoders = nn.ModuleDict(encoders)
        self.feature_sizes = {m.name: m.feature_size for m in modalities if m.encoder is not None}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the modalities that the guide encodes, in its own order."""
        return tuple(self.encoders)

    @property
    def num_components(self) -> int:
        """Number of mixture components of the posterior; 1 for a single Gaussian."""
        return 1

    @property
    def has_inner(self) -> bool:
        """Whether z is reached through an inner draw: the posterior is `Hierarchical`."""
        return False

    @property
    def branches(self) -> Mapping[str, Guide]:
        """Guides that this one holds and that an objective may train with the model's branches of these names."""
        return {}

    @abstractmethod
    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return q(z | what is observed), batch shape `(*lead, B)` and event shape `(D,)`.

        The same call gives the same density: a guide that draws something on the way to z returns a `Hierarchical`,
        and whoever draws z from it, as `forward` does, draws that as well.

        Where nothing is observed it is N(0, I): the prior, or a stand-in for it, since a guide knows no model. Under a
        prior of another kind objectives leave such samples out, and estimators put the model's prior in their place
        (`blind.posterior_under`).
        """

    @property
    def has_component(self) -> bool:
        """Whether `component` works: the posterior is one Gaussian, or a mixture with one for each whole subset."""
        return self.num_components == 1 or type(self).component is not Guide.component

    def component(self, batch: Batch) -> TorchDistribution:
        """Return the one Gaussian that stands for exactly what is observed, batch shape `(*lead, B)`.

        It is the posterior itself, unless that is a mixture over subsets: then it is the component of this subset.

        Raises:
            IncompatibleError: the posterior is a mixture that has no component for a whole subset.
        """
        if not self.has_component:
            raise IncompatibleError(
                f"the posterior of {type(self).__name__} is a mixture that has no component for a whole subset; "
                f"use a guide that has one, such as `mopoe` or `poe`"
            )
        return self.posterior(batch)

    def point(self, batch: Batch) -> Tensor:
        """Return the z that a point estimate decodes, shape `(*lead, B, D)`.

        It is the posterior's mean; for a mixture `densest_mean`, as the mean of a mixture may lie where hardly any of
        its mass is. A subclass overrides it where there is something better, or where the posterior has no mean in
        closed form (a flow). Where nothing is observed it is zero, the point of the prior N(0, I); for a model with
        another prior see `blind.point_under`.
        """
        return central_point(self.posterior(batch))

    def weights(self, batch: Batch) -> dict[str, Tensor] | None:
        """Return how much each input's expert weighs in the posterior, or None in a guide that weighs none.

        Returns:
            By input, each of shape `(*lead, B, D)`: non-negative, zero where the input is not observed, and with sum
            one over the inputs where any is.
        """
        return None

    def influence(self, batch: Batch) -> dict[str, Tensor] | None:
        """Return how far the posterior's mean follows each input's expert, or None in a guide that has no experts.

        The mean is the sum of the experts' means times these factors, dimension by dimension. They are the weights,
        unless experts weigh by their precision too: a learned weight need not move where the expert itself says that
        it is unsure.

        Returns:
            By input, each of shape `(*lead, B, D)`: non-negative, zero where the input is not observed, and with a sum
            of one over the inputs, less what the prior has as an expert.
        """
        return self.weights(batch)

    def forward(self, batch: Batch) -> Tensor:
        """Run the inference program: sample z, shape `(*lead, B, D)`, from the posterior.

        Raises:
            IncompatibleError: the posterior cannot be reparameterised, and a bound of Pyro's that enumerates runs it.
        """
        posterior = self.posterior(batch)
        if enumerates() and not posterior.has_rsample:
            raise IncompatibleError(
                f"the posterior of {type(self).__name__} has nothing to enumerate and cannot be reparameterised, so "
                f"that TraceTMC_ELBO would leave the guide untrained; use pyro.infer.Trace_ELBO, which is what "
                f"TraceEnum_ELBO is here, or an objective of pyro_mmvae, which has less noise"
            )
        with pyro.plate("data", batch.size, dim=-1):
            return sample_latent(posterior)

    def features(self, batch: Batch) -> list[Tensor]:
        """Run every encoder once on the whole batch; missing values are zeros there and masked later.

        Floats and booleans are converted to the type of the encoder's parameters; whole numbers are handed over as they
        are, as they may be indices.

        Returns:
            Features by input, shapes `(B, F_m)`; zeros for an input that the batch does not hold at all.

        Raises:
            ValueError: values on another device than the encoder's, beyond the range of its type, or whole numbers that
                it cannot read; features of another shape than they should have.
        """
        like = next(self.parameters())
        return [
            self._checked(name, self._encoded(name, read(batch, name, self.encoders[name], like.dtype, integers=True)))
            if name in batch.data
            else like.new_zeros(batch.size, self.feature_sizes[name])
            for name in self.inputs
        ]

    def observed(self, batch: Batch) -> Tensor:
        """Return which inputs may be used, bool `(*lead, B, M)` in the order of `inputs`."""
        absent = torch.zeros(batch.size, dtype=torch.bool, device=batch.device)
        masks = [batch.observed.get(name, absent) for name in self.inputs]
        return torch.stack(torch.broadcast_tensors(*masks), dim=-1)

    def _encoded(self, name: str, value: Tensor) -> Tensor:
        try:
            features = encoded(self.encoders[name], value)
        except RuntimeError as error:
            if value.is_floating_point():
                error.add_note(f"in the encoder of {name!r}, on values of shape {tuple(value.shape)}")
                raise
            raise ValueError(
                f"encoder of {name!r} cannot read whole numbers ({value.dtype}); make them floats when you build the "
                f"batch, as in `Batch.of({{{name!r}: x.float()}})`"
            ) from error
        return features

    def _checked(self, name: str, features: Tensor) -> Tensor:
        expected = self.feature_sizes[name]
        if features.dim() != 2 or features.shape[1] != expected:
            raise ValueError(
                f"encoder of {name!r}: expected features of shape (B, {expected}), got {tuple(features.shape)}"
            )
        return features


def sample_latent(posterior: TorchDistribution) -> Tensor:
    """Sample the site "z" from a posterior, inside of the plate "data".

    On the way to z a `Hierarchical` posterior draws the site "inner". It is auxiliary: the model has none, and it is
    masked, so that z is scored under the Gaussian given its own inner draw.
    """
    if isinstance(posterior, Hierarchical):
        with poutine.mask(mask=False):
            inner = pyro.sample("inner", posterior.inner, infer={"is_auxiliary": True})
        posterior = posterior.given(inner)
    z: Tensor = pyro.sample("z", posterior)
    return z


class Experts(NamedTuple):
    """Diagonal Gaussian experts, one for each input."""

    loc: Tensor
    """Means, shape `(B, M, D)`."""
    scale: Tensor
    """Standard deviations, shape `(B, M, D)`."""


class GaussianHead(Recorded, nn.Module):
    """Fully connected layer from features to the mean and standard deviation of a Gaussian.

    Args:
        in_features: F.
        latent_dim: D.
        min_scale: added to the standard deviation, so that precisions stay finite.
        initial_scale: about the standard deviation before training. Small, so that the first steps see the encoder's
            mean rather than noise; the KL widens it where that pays.
    """

    def __init__(self, in_features: int, latent_dim: int, min_scale: float = 1e-4, initial_scale: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, 2 * latent_dim)
        self.min_scale = min_scale
        with torch.no_grad():
            self.linear.bias[latent_dim:] += math.log(math.expm1(initial_scale))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, shapes `(*lead, D)`, for features `(*lead, F)`."""
        loc, raw = self.linear(features).chunk(2, dim=-1)
        if raw.dtype == torch.float16:
            raw = raw.float()  # the precision of a sharp expert is beyond half precision
        return loc, softplus(raw) + self.min_scale


class ExpertGuide(Guide):
    """A guide whose every input has an expert of its own, N(loc_m(x_m), scale_m(x_m))."""

    def __init__(self, modalities: Sequence[Modality], latent_dim: int) -> None:
        super().__init__(modalities, latent_dim)
        self.heads = nn.ModuleDict({n: GaussianHead(size, latent_dim) for n, size in self.feature_sizes.items()})

    @property
    def keeps_lone_expert(self) -> bool:
        """Whether the posterior of a single observed input is that input's own expert, sample by sample."""
        return True

    def by_input(self, alpha: Tensor) -> dict[str, Tensor]:
        """Return weights `(*lead, B, M, D)` or `(*lead, B, M, 1)` as `weights` does."""
        parts = alpha.expand(*alpha.shape[:-1], self.latent_dim).unbind(-2)
        return dict(zip(self.inputs, parts, strict=True))

    def experts(self, features: Sequence[Tensor]) -> Experts:
        """Return the experts of features `(B, F_m)`, which `features` gives in the order of the inputs."""
        pairs = [self.heads[name](value) for name, value in zip(self.inputs, features, strict=True)]
        return Experts(torch.stack([p[0] for p in pairs], -2), torch.stack([p[1] for p in pairs], -2))


MASKED_LOGIT = -1e9
"""Logit of what is not observed: its softmax is exactly zero, and unlike -inf it gives no NaN gradient."""


def masked_logits(logits: Tensor, observed: Tensor) -> Tensor:
    """Hide what is not observed from a softmax; the two broadcast."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()  # half precision does not hold the masked logit
    return torch.where(observed, logits, torch.full_like(logits, MASKED_LOGIT))


def masked_features(features: Sequence[Tensor], observed: Tensor) -> Tensor:
    """Concatenate features, zero where they may not be seen.

    Args:
        features: shapes `(B, F_m)`.
        observed: bool, shape `(*lead, B, M)`.

    Returns:
        Shape `(*lead, B, sum_m F_m)`.
    """
    return torch.cat([f * observed[..., m : m + 1] for m, f in enumerate(features)], dim=-1)
