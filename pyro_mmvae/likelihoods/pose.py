"""The joints of a hand or a body."""

from __future__ import annotations

from typing import Literal, Self

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.radial import RadialLaplace
from pyro_mmvae.likelihoods._scaled import Scale, ScaledLikelihood


class Pose(ScaledLikelihood):
    r"""exp(-\|y - \hat y\| / b) with its normaliser, the density behind the pose loss of Gupta (2021, section 4.3).

    The thesis prints one norm without saying over what; as it stands it is that of the whole vector of 3 J numbers,
    `norm="pose"`. The sum of the joints' norms, `norm="joint"`, is our default: it is between one and sqrt(J) times as
    large, and weighs more against the other modalities. The mean squared error of Theodoridis et al. (2020, eq. 3) is
    `Normal((J, 3), scale=math.sqrt(3 * J / 2))`, up to a constant.

    Args:
        num_joints: J; event and parameters are `(J, 3)`, root-relative and scaled as the data are.
        scale: b, a fixed number in the unit of the coordinates or `"learned"`. The mean norm that the density expects
            is 3 b for each joint, or 3 J b for the whole pose.
        norm: `"joint"`: joints are independent and the norm is that of each joint's error in space; the normaliser is
            (8 pi b^3)^J. `"pose"`: one norm over all 3 J errors; the normaliser is that of 3 J dimensions, see
            `RadialLaplace`.
        initial_scale: where the learned scale starts.

    Raises:
        ValueError: an unknown norm or a scale that is not positive.
    """

    def __init__(
        self,
        num_joints: int = 21,
        scale: Scale = 1.0,
        *,
        norm: Literal["joint", "pose"] = "joint",
        initial_scale: float = 1.0,
    ) -> None:
        if norm not in ("joint", "pose"):
            raise ValueError(f"expected norm 'joint' or 'pose', got {norm!r}")
        super().__init__((num_joints, 3), scale, initial_scale=initial_scale)
        self.norm = norm

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from joints `(*lead, J, 3)`."""
        if self.norm == "pose":
            return RadialLaplace(params, self.scale_like(params), event_dim=2)
        return RadialLaplace(params, self.scale_like(params)).to_event(1)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(4, "learned", initial_scale=0.1)
