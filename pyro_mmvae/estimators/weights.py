"""Importance weights in a stream: what is kept does not grow with their number."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae.estimators.floats import from_host, on_host, precise
from pyro_mmvae.estimators.of_arviz import pareto_shapes, tail_size

MIN_DRAWS = 25
"""Below this number of draws a tail has fewer than five weights, and its shape cannot be told."""
_BLOCK = 8192
"""Weights that are looked at together, of several data points; bounds the memory, of which `psislw` wants many times as
much."""


class RunningWeights:
    """Running sums of importance weights and of their squares, and the largest ones, for each data point.

    Args:
        points: number of data points N.
        num_samples: number of draws K that will be added in all.
        device: of the weights.
        least: number of draws below which k-hat is not told.
    """

    def __init__(self, points: int, num_samples: int, device: torch.device, least: int = MIN_DRAWS) -> None:
        self._least = least
        self.num_samples = num_samples
        self.largest = torch.full((points,), -torch.inf, dtype=precise(device), device=device)
        self.total = torch.zeros_like(self.largest)
        self.squares = torch.zeros_like(self.largest)
        self.broken = torch.zeros_like(self.largest, dtype=torch.bool)
        self._rounding = max(1e-9, 10 * torch.finfo(self.largest.dtype).eps)
        self._keep = tail_size(num_samples) + 1  # the cutoff is the largest weight outside the tail
        self._tail: list[Tensor] = []
        self._held = 0

    def add(self, log_weights: Tensor) -> None:
        """Take in some draws, shape `(C, N)`; nothing waits for the device."""
        new = log_weights.to(self.largest.dtype)
        self.broken |= (new.isnan() | (new == torch.inf)).any(0)
        largest = torch.maximum(self.largest, new.amax(0))
        # Where every weight so far is zero there is nothing to scale.
        base = torch.where(largest.isfinite(), largest, 0.0)
        ratio, shifted = (self.largest - base).exp(), (new - base).exp()
        self.total = self.total * ratio + shifted.sum(0)
        self.squares = self.squares * ratio.square() + shifted.square().sum(0)
        self.largest = largest
        self._tail.append(log_weights)
        self._held += len(log_weights)
        if self._held > 4 * self._keep:
            self._shrink()

    def _shrink(self) -> None:
        held = torch.cat(self._tail)
        self._tail = [held.topk(min(self._keep, len(held)), dim=0, sorted=False).values]
        self._held = len(self._tail[0])

    def log_mean(self) -> Tensor:
        """Return the logarithm of the mean weight, shape `(N,)`; float64 where the device has it."""
        return self.largest + self.total.log() - math.log(self.num_samples)

    def effective_size(self) -> Tensor:
        """Return (sum w)^2 / sum w^2, shape `(N,)`."""
        return self.total.square() / self.squares

    def standard_error(self) -> Tensor:
        """Return the standard error of the logarithm of the mean, by the delta method, shape `(N,)`.

        From the sample variance of the weights; NaN for a single draw, which has none.
        """
        if self.num_samples == 1:
            return torch.full_like(self.largest, torch.nan)
        spread = (self.num_samples / self.effective_size() - 1).clamp_min(0)
        return (spread / (self.num_samples - 1)).sqrt()

    def khat(self) -> Tensor:
        """Return the Pareto shape of the largest weights, shape `(N,)`, from ArviZ's `psislw`.

        Weights that are all the same have a tail of no shape at all: zero.
        """
        self._shrink()
        tail = on_host(self._tail[0].T)
        if self.num_samples < self._least:
            return torch.full_like(self.largest, torch.nan)
        constant = (self.num_samples - self.effective_size()) < self._rounding * self.num_samples
        shape = from_host(_khat(tail.numpy(), self.num_samples), self.largest)
        return torch.where(constant, 0.0, shape)


def _khat(tail: np.ndarray, num_samples: int) -> np.ndarray:
    """Return k-hat of `num_samples` log weights, of which only the largest are known, shape `(N, tail)`.

    The others lie below the cutoff and play no part; they are filled in, for `psislw` to see their number.
    """
    found = np.empty(len(tail))
    points = max(_BLOCK // num_samples, 1)
    for start in range(0, len(tail), points):
        block = tail[start : start + points]
        lowest = block.min(axis=1, keepdims=True)
        padding = np.repeat(lowest, num_samples - block.shape[1], axis=1)
        weights = np.concatenate([padding, block], axis=1)
        # psislw cannot subtract infinities; a draw of weight zero is below any cutoff.
        weights = np.where(np.isfinite(weights), weights, np.finfo(np.float64).min / 4)
        with np.errstate(all="ignore"):
            found[start : start + points] = pareto_shapes(weights)
    return found
