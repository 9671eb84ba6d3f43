"""FoldingNet point-cloud decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from pyro_mmvae.recorded import Recorded


class Fold(Recorded, nn.Module):
    """One folding: a network on each point beside the codeword, shared by all points.

    The first layer is linear in [codeword, point], so the codeword's part is computed once per sample and
    added to each point's part; the codeword is never copied.

    Args:
        code_size: length of the codeword.
        point_size: coordinates of a point that comes in.
        widths: width of each hidden layer.
    """

    def __init__(self, code_size: int, point_size: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.code_size = code_size
        self.first = nn.Linear(code_size + point_size, widths[0])
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise((*widths, 3)):
            layers += [nn.ReLU(), nn.Linear(size_in, size_out)]
        self.rest = nn.Sequential(*layers)

    def forward(self, code: Tensor, points: Tensor) -> Tensor:
        """Map codewords `(N, D)` and points `(P, C)` or `(N, P, C)` to points `(N, P, 3)`."""
        from_code = linear(code, self.first.weight[:, : self.code_size], self.first.bias)
        from_points = linear(points, self.first.weight[:, self.code_size :])
        return self.rest(from_code.unsqueeze(1) + from_points)


class FoldingNetDecoder(Recorded, nn.Module):
    """Decoder that folds a flat square grid into a cloud, twice.

    References:
        FoldingNet: Point Cloud Auto-encoder via Deep Grid Deformation (Yang et al., 2018), arXiv:1712.07262.
        The grid is smaller than theirs: 16 x 16 = 256 points, as many as the data's clouds have, so that a
        one-to-one matching (the earth mover's distance) is defined.

    Args:
        latent_size: D, the length of the codeword.
        side: points along a side of the grid.
        widths: width of each hidden layer of both foldings.
        extent: the grid spans [-extent, extent] in both directions.
    """

    grid: Tensor

    def __init__(
        self,
        latent_size: int,
        side: int = 16,
        widths: Sequence[int] = (512, 512),
        extent: float = 0.3,
    ) -> None:
        super().__init__()
        line = torch.linspace(-extent, extent, side)
        self.register_buffer("grid", torch.cartesian_prod(line, line), persistent=False)
        self.fold1 = Fold(latent_size, 2, widths)
        self.fold2 = Fold(latent_size, 3, widths)
        self.param_shape = (side * side, 3)
        self._initialise()

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents `(N, D)` to clouds `(N, P, 3)` with P = side x side."""
        return self.fold2(latent, self.fold1(latent, self.grid))

    def _initialise(self) -> None:
        """Initialise for ReLU, and give the grid a share of the first layer.

        A grid of +-0.3 hardly moves a layer of torch's own initialisation: all points start at one place and part
        slowly. Weights by which it adds a standard deviation of 0.5 reach a given Chamfer distance in about half
        of the steps (measured on clouds around random hand skeletons).
        """
        for layer in (self.fold1.first, self.fold2.first, *self.fold1.rest[:-1], *self.fold2.rest[:-1]):
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        grid_weights = self.fold1.first.weight.data[:, self.fold1.code_size :]
        grid_weights.normal_().mul_(0.5 / self.grid.square().sum(1).mean().sqrt())

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(5, side=4, widths=(8, 8)), torch.randn(3, 5)
