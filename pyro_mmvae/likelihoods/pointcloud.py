"""Point clouds."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pyro.distributions import TorchDistribution
from torch import Tensor

from pyro_mmvae.distributions.chamfer_emd_energy import ChamferEMDEnergy
from pyro_mmvae.distributions.point_mixture import KernelName, PointMixture
from pyro_mmvae.distributions.shuffled_points import ShuffledPoints
from pyro_mmvae.likelihoods._scaled import Scale, ScaledLikelihood
from pyro_mmvae.pointclouds.matching import Solver

Density = Literal["mixture", "shuffled", "energy"]


class Pointcloud(ScaledLikelihood):
    """A cloud of N points, from M decoded ones; the order of the points does not matter.

    A model that was trained with the energy can be judged by a density: put `Pointcloud(N, "mixture", scale)` in
    the place of its likelihood, which has the same parameters, with a scale chosen on training data.

    Args:
        num_points: N; the event is `(N, 3)`.
        density: `"mixture"`, an exact density (`PointMixture`). `"shuffled"`, a certified lower bound of an exact
            density, by the earth mover's distance (`ShuffledPoints`). `"energy"`, minus Chamfer and earth mover's
            distance as in the papers: not a density, refused by estimators of log-likelihoods
            (`ChamferEMDEnergy`).
        scale: b of the densities, a fixed number in the unit of the coordinates or `"learned"`. An energy has none.
        num_centres: M; N when left out. Only the mixture, and an energy with `emd_weight=0`, allow another number.
        kernel: of the mixture, `"laplace"` or `"gaussian"`.
        chamfer_weight: weight of the Chamfer distance in the energy.
        emd_weight: weight of the earth mover's distance in the energy.
        initial_scale: where the learned scale starts.
        solver: of the matching; see `pyro_mmvae.pointclouds.match_points`, also for its cost on accelerators.

    Attributes:
        normalised: whether `log_prob` is that of a density, or a lower bound of one.
        log_prob_is_lower_bound: whether it is a bound.

    Raises:
        ValueError: an unknown density, or options that do not fit it.
    """

    def __init__(
        self,
        num_points: int = 256,
        density: Density = "mixture",
        scale: Scale = 1.0,
        *,
        num_centres: int | None = None,
        kernel: KernelName = "laplace",
        chamfer_weight: float = 1.0,
        emd_weight: float = 1.0,
        initial_scale: float = 1.0,
        solver: Solver | None = None,
    ) -> None:
        super().__init__((num_points, 3), scale, initial_scale=initial_scale)
        self.density, self.kernel, self.solver = density, kernel, solver
        self.chamfer_weight, self.emd_weight = chamfer_weight, emd_weight
        self.num_centres = num_centres or num_points
        self.normalised = density != "energy"
        self.log_prob_is_lower_bound = density == "shuffled"
        self._check(scale)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """`(M, 3)`."""
        return (self.num_centres, 3)

    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m, batch shape `lead`, from decoded points `(*lead, M, 3)`."""
        num_points = self.event_shape[0]
        if self.density == "mixture":
            return PointMixture(params, self.scale_like(params), self.kernel, num_points)
        if self.density == "shuffled":
            return ShuffledPoints(params, self.scale_like(params), solver=self.solver)
        return ChamferEMDEnergy(params, self.chamfer_weight, self.emd_weight, num_points, solver=self.solver)

    def predict(self, params: Tensor) -> Tensor:
        """Return the decoded points, shape `(*lead, M, 3)`."""
        return params

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance."""
        return cls(5, "mixture", "learned", num_centres=4, initial_scale=0.2)

    def _check(self, scale: Scale) -> None:
        if self.density not in get_args(Density):
            raise ValueError(f"expected a density out of {get_args(Density)}, got {self.density!r}")
        if self.density == "energy" and scale == "learned":
            raise ValueError(
                "an energy has no normaliser, so its scale cannot be learned (it would grow without end); "
                "set chamfer_weight and emd_weight, or choose density='mixture' or 'shuffled'"
            )
        matched = self.density == "shuffled" or (self.density == "energy" and self.emd_weight)
        if matched and self.num_centres != self.event_shape[0]:
            raise ValueError(
                f"density {self.density!r} matches points one to one: expected num_centres = num_points = "
                f"{self.event_shape[0]}, got {self.num_centres}"
            )
