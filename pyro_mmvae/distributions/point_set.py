"""What the distributions over point clouds share: centres, a scale and their shapes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints


class PointSetDistribution(TorchDistribution):
    """A distribution over clouds of N points in R^d around M centres; abstract.

    Args:
        centres: shape `(*lead, M, d)`.
        scale: width of the noise around a centre, a number or a tensor that broadcasts against `lead`.
        num_points: N; M when left out.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "centres": constraints.independent(constraints.real, 2),
        "scale": constraints.positive,
    }
    support = constraints.independent(constraints.real, 2)

    def __init__(
        self,
        centres: Tensor,
        scale: Tensor | float,
        num_points: int | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if centres.dim() < 2 or 0 in centres.shape[-2:]:
            raise ValueError(f"expected centres of shape (*lead, M, d), M and d > 0, got {tuple(centres.shape)}")
        scale = scale if isinstance(scale, Tensor) else centres.new_full((), scale)
        batch = torch.broadcast_shapes(centres.shape[:-2], scale.shape)
        self.centres, self.scale = centres.expand(batch + centres.shape[-2:]), scale.expand(batch)
        event = torch.Size((num_points or centres.shape[-2], centres.shape[-1]))
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: torch.Size, _instance: Self | None = None) -> Self:
        """Return the distribution with a larger batch shape; nothing is copied."""
        new = self._get_checked_instance(type(self), _instance)
        new.__dict__.update(self.__dict__)
        batch = torch.Size(batch_shape)
        new.centres = self.centres.expand(batch + self.centres.shape[-2:])
        new.scale = self.scale.expand(batch)
        new._batch_shape = batch
        return new

    @property
    def mean(self) -> Tensor:
        """Mean of each point: that of the centres, since points have no identity."""
        return self.centres.mean(dim=-2, keepdim=True).expand(self.batch_shape + self.event_shape)
