"""The papers' loss of point clouds, as an unnormalised log-density."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor
from torch.distributions import constraints

from pyro_mmvae.distributions.point_set import PointSetDistribution
from pyro_mmvae.pointclouds.chamfer import chamfer_distance
from pyro_mmvae.pointclouds.emd import earth_movers_distance
from pyro_mmvae.pointclouds.matching import Solver


class ChamferEMDEnergy(PointSetDistribution):
    """Minus Chamfer and earth mover's distance (Gupta 2021, section 4.3): an energy, not a density.

    The integral of exp(-energy) over clouds depends on the centres and is not known, so values of `log_prob` train
    a decoder but must not be compared between models or taken for nats, and nothing can be sampled. See
    `PointMixture` and `ShuffledPoints` for densities.

    Args:
        centres: decoded points, shape `(*lead, M, d)`.
        chamfer_weight: weight of the Chamfer distance, in inverse units of length.
        emd_weight: weight of the earth mover's distance; 0 leaves it out, and the clouds may then differ in size.
        num_points: N, points of an observed cloud; M when left out.
        solver: of the matching; see `earth_movers_distance`.

    Attributes:
        normalised: False.

    Raises:
        ValueError: the earth mover's distance is wanted and N differs from M.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"centres": constraints.independent(constraints.real, 2)}
    normalised: ClassVar[bool] = False

    def __init__(
        self,
        centres: Tensor,
        chamfer_weight: float = 1.0,
        emd_weight: float = 1.0,
        num_points: int | None = None,
        *,
        solver: Solver | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(centres, 1.0, num_points, validate_args=validate_args)
        if emd_weight and num_points not in (None, centres.shape[-2]):
            raise ValueError(
                f"the earth mover's distance needs clouds of equal size, got {centres.shape[-2]} centres and "
                f"{num_points} points; set emd_weight=0 or decode as many points"
            )
        self.chamfer_weight, self.emd_weight, self.solver = chamfer_weight, emd_weight, solver

    def log_prob(self, value: Tensor) -> Tensor:
        """Return minus the energy: a log-density up to a constant that depends on the centres."""
        if self._validate_args:
            self._validate_sample(value)
        energy = self.chamfer_weight * chamfer_distance(self.centres, value)
        if self.emd_weight:
            energy = energy + self.emd_weight * earth_movers_distance(self.centres, value, solver=self.solver)
        return -energy

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> NoReturn:
        """Refuse: an energy has no sampler.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "ChamferEMDEnergy is an energy without a known normaliser and cannot be sampled; "
            "use PointMixture or ShuffledPoints, whose samplers are exact"
        )
