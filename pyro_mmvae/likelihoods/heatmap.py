"""Heat maps of joints."""

from __future__ import annotations

from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.radial import RadialLaplace
from pyro_mmvae.likelihoods._scaled import Scale, ScaledLikelihood


class Heatmap(ScaledLikelihood):
    r"""exp(-\|H_j - \hat H_j\| / b) per map with its normaliser, independently over joints.

    The density behind the heat-map loss of Gupta (2021, section 4.3): unsquared norms of whole maps, summed over
    the joints, as the thesis prints it.

    Args:
        num_joints: J.
        size: H and W; event and parameters are `(J, H, W)`.
        scale: b, a fixed number or `"learned"`. The mean norm of a map's error that the density expects is H W b.
        initial_scale: where the learned scale starts.
    """

    def __init__(
        self,
        num_joints: int = 21,
        size: tuple[int, int] = (64, 64),
        scale: Scale = 1.0,
        *,
        initial_scale: float = 1.0,
    ) -> None:
        super().__init__((num_joints, *size), scale, initial_scale=initial_scale)

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from maps `(*lead, J, H, W)`."""
        return RadialLaplace(params, self.scale_like(params), event_dim=2).to_event(1)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(2, (3, 4), "learned", initial_scale=0.1)
