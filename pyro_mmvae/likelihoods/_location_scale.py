"""Likelihoods of independent values, each with a location and a scale."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.nn.functional import softplus

from pyro_mmvae.likelihoods._scaled import Scale, ScaledLikelihood


class LocationScaleLikelihood(ScaledLikelihood):
    """Independent values around locations that the decoder returns; abstract.

    Args:
        event_shape: shape of one observed value.
        scale: a fixed positive number; `"learned"`, one parameter for all values; or `"predicted"`, one per value,
            by the decoder: `param_shape` is then `(2, *event_shape)`, the location and an unconstrained number of
            which the scale is `min_scale + softplus(number)`.
        initial_scale: where the learned scale starts.
        min_scale: the least predicted scale; without it the density of data on a grid has no upper bound.

    Raises:
        ValueError: a scale that is not positive, or an unknown word.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        scale: Scale | Literal["predicted"] = 1.0,
        *,
        initial_scale: float = 1.0,
        min_scale: float = 1e-3,
    ) -> None:
        self.predicts_scale = scale == "predicted"
        self.min_scale = min_scale
        super().__init__(event_shape, 1.0 if scale == "predicted" else scale, initial_scale=initial_scale)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """`event_shape`, or `(2, *event_shape)` with a predicted scale."""
        return (2, *self.event_shape) if self.predicts_scale else self.event_shape

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from decoder output `(*lead, *param_shape)`."""
        return self.distribution(*self._split(params)).to_event(len(self.event_shape))

    def predict(self, params: Tensor) -> Tensor:
        """Return the location, shape `(*lead, *event_shape)`."""
        return self._split(params)[0]

    @abstractmethod
    def distribution(self, loc: Tensor, scale: Tensor) -> TorchDistribution:
        """Return the distribution of the values, without event dimensions."""

    def _split(self, params: Tensor) -> tuple[Tensor, Tensor]:
        if not self.predicts_scale:
            return params, self.scale_like(params)
        loc, raw = params.unbind(dim=-len(self.param_shape))
        return loc, self.min_scale + softplus(raw)
