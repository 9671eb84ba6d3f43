"""A normalising flow from `zuko`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Distribution

from pyro_mmvae.distributions.flow import FlowDistribution
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
