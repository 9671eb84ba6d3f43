"""ResPEL: residual permutation-equivariant layers over a point cloud."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.recorded import Recorded


class PermutationEquivariant(Recorded, nn.Module):
    r"""Permutation-equivariant linear layer.

    .. math:: y_n = x_n \Gamma + \max_m x_m \Lambda + b

    The maximum is taken per channel over the points. A point that occurs twice changes nothing.

    References:
        Deep Sets (Zaheer et al., 2017), arXiv:1703.06114.

    Args:
        in_features: channels of a point before.
        out_features: channels of a point after.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.point = nn.Linear(in_features, out_features)
        self.cloud = nn.Linear(in_features, out_features, bias=False)
        for layer in (self.point, self.cloud):  # He et al. (2015), the variance shared by the two summands
            nn.init.normal_(layer.weight, std=in_features**-0.5)

    def forward(self, points: Tensor) -> Tensor:
        """Map points `(N, P, C)` to `(N, P, C')`."""
        # The whole cloud's part is one row per sample, not per point: its product costs next to nothing.
        return self.point(points) + self.cloud(points.max(1, keepdim=True).values)


class ResidualBlock(Recorded, nn.Module):
    """Two permutation-equivariant layers beside a shortcut, which is linear where the width changes.

    The second layer starts at zero, the block as its shortcut: without normalisation layers this trains better
    than torch's own initialisation.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.first = PermutationEquivariant(in_features, out_features)
        self.second = PermutationEquivariant(out_features, out_features)
        self.shortcut: nn.Module = nn.Identity()
        if in_features != out_features:
            self.shortcut = nn.Linear(in_features, out_features, bias=False)
            nn.init.kaiming_normal_(self.shortcut.weight, nonlinearity="relu")
        nn.init.zeros_(self.second.point.weight)
        nn.init.zeros_(self.second.cloud.weight)

    def forward(self, points: Tensor) -> Tensor:
        """Map points `(N, P, C)` to `(N, P, C')`."""
        return (self.shortcut(points) + self.second(self.first(points).relu())).relu()


class ResPEL(Recorded, nn.Module):
    """Point encoder of residual permutation-equivariant blocks, pooled by the maximum over the points.

    Takes any number of points in any order; a point given twice counts once.

    References:
        Point-to-Pose Voting based Hand Pose Estimation using Residual Permutation Equivariant Layer
        (Li & Lee, 2019), arXiv:1812.02050. That network votes per point and regresses a pose; here the pooled
        features are the result, as the encoder of a variational autoencoder needs.

    Args:
        widths: channels of each stage, one block each. The defaults are ours: the papers that use this
            encoder halve the original network and do not give numbers.
        in_features: coordinates of a point.

    Attributes:
        out_features: number of features F, the last width.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 256, 512), in_features: int = 3) -> None:
        super().__init__()
        sizes = (in_features, *widths)
        self.blocks = nn.Sequential(*(ResidualBlock(*pair) for pair in pairwise(sizes)))
        self.out_features = sizes[-1]

    def forward(self, points: Tensor) -> Tensor:
        """Map clouds `(N, P, 3)` to features `(N, F)`."""
        return self.blocks(points).amax(1)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls(widths=(8, 16)), torch.randn(3, 10, 3)
