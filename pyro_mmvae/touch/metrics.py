"""How far predicted pictures are from those seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PictureErrors(NamedTuple):
    """Errors of N samples; NaN where there is nothing to compare with.

    Attributes:
        rgb: mean squared error of a picture in [0, 1], `(N,)`.
        depth_mm: mean absolute error of depth, millimetres, `(N,)`.
    """

    rgb: Tensor
    depth_mm: Tensor

    @property
    def psnr(self) -> Tensor:
        """Peak signal-to-noise ratio of every picture in dB, 10 log10(1 / MSE), `(N,)`."""
        return -10 * self.rgb.clamp_min(1e-10).log10()

    def summary(self) -> dict[str, float]:
        """Return means over samples: `psnr` in dB, `rgb_mse`, `depth_mm`."""
        values = {"psnr": self.psnr, "rgb_mse": self.rgb, "depth_mm": self.depth_mm}
        return {name: float(value.nanmean()) for name, value in values.items()}


def picture_errors(rgb: Tensor, depth: Tensor, true_rgb: Tensor, true_depth: Tensor) -> PictureErrors:
    """Compare pictures `(N, 3, S, S)`, cut to [0, 1], and depths `(N, 1, S, S)` in metres."""
    squared = (rgb.clamp(0, 1) - true_rgb).square().flatten(1).mean(1)
    return PictureErrors(squared, 1000 * (depth - true_depth).abs().flatten(1).mean(1))


def where(seen: Tensor, value: Tensor) -> Tensor:
    """Return a value `(N,)` where something was seen, NaN elsewhere."""
    return torch.where(seen, value, torch.full_like(value, torch.nan))


def clustered(difference: Tensor, cluster: Tensor) -> tuple[float, float]:
    """Return the mean of paired differences and its standard error, of samples that come in clusters.

    The steps of an attempt are alike: what counts is the spread of the attempts' means.

    Args:
        difference: `(N,)`; NaN is left out.
        cluster: the attempt of each, int64 `(N,)`.
    """
    there = ~difference.isnan()
    _, at = cluster[there].unique(return_inverse=True)
    value = difference[there].double()
    many = int(at.max()) + 1 if len(at) else 0
    count = torch.zeros(many, dtype=value.dtype).index_add_(0, at, torch.ones_like(value))
    means = torch.zeros(many, dtype=value.dtype).index_add_(0, at, value) / count
    error = float(means.std() / many**0.5) if many > 1 else float("nan")
    return float(means.mean()) if many else float("nan"), error
