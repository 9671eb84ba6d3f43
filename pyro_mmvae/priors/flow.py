"""A normalising flow from `zuko`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from pyro_mmvae.priors.base import Prior

_START = 0.1


class Flow(Prior):
    """Neural spline flow over N(0, I), autoregressive (Durkan et al. 2019, arXiv:1906.04032), by `zuko.flows.NSF`.

    A density costs one pass of the networks, a draw D of them. Splines bend the inside of [-5, 5] in each dimension;
    outside it is the identity. It starts near N(0, I). Needs `pip install pyro-mmvae[flows]`.

    Args:
        latent_dim: dimension D of z.
        transforms: number of autoregressive transforms.
        hidden: widths of the hidden layers of each.
        bins: of the splines.

    Raises:
        ImportError: zuko is not installed.
    """

    def __init__(
        self, latent_dim: int, *, transforms: int = 3, hidden: Sequence[int] = (64, 64), bins: int = 8
    ) -> None:
        super().__init__(latent_dim)
        self.flow: nn.Module = _zuko().flows.NSF(
            latent_dim, transforms=transforms, hidden_features=tuple(hidden), bins=bins
        )
        with torch.no_grad():  # networks that return zeros make a spline the identity
            for transform in self.flow.transform.transforms:
                last = getattr(transform, "hyper", [transform])[-1]  # one dimension has no network
                for parameter in last.parameters():
                    parameter *= _START

    def forward(self) -> TorchDistribution:
        """Return the flow's density, which has an `rsample`."""
        return FlowDistribution(self.flow())

    def point(self) -> Tensor:
        """Return what the flow makes of the centre of its base, since its mean has no closed form."""
        made = self.flow()
        point: Tensor = made.transform.inv(made.base.mean)
        return point


class FlowDistribution(TorchDistribution):
    """A distribution of zuko's that Pyro can sample from.

    Args:
        flow: batch shape `()`.
        batch_shape: of independent copies.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, flow: Distribution, batch_shape: torch.Size | None = None) -> None:
        self.flow = flow
        super().__init__(torch.Size(batch_shape or ()), flow.event_shape, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> FlowDistribution:
        """Return the distribution with a larger batch shape; nothing is copied."""
        return FlowDistribution(self.flow, torch.Size(batch_shape))

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Draw samples, differentiable for the flow's parameters."""
        draws: Tensor = self.flow.rsample(torch.Size(sample_shape) + self.batch_shape)
        return draws

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        density: Tensor = self.flow.log_prob(value)
        return density.expand(torch.broadcast_shapes(density.shape, self.batch_shape))


def _zuko() -> Any:
    # Importing zuko switches PyTorch's argument checks off for good; a library must not do that to its user.
    validate = Distribution._validate_args
    try:
        import zuko
    except ImportError as error:
        raise ImportError("the prior `flow` needs zuko; try pip install 'pyro-mmvae[flows]'") from error
    finally:
        Distribution._validate_args = validate
    return zuko
