"""Temperatures of annealing: how many, and where, for each data point."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Schedule = Literal["effective", "linear", "sigmoid"]
_EVEN = 0.1
"""Share of a path's length that is spread evenly: a pilot's spreads are estimates."""


def fixed(schedule: Literal["linear", "sigmoid"], steps: int, points: int, device: torch.device) -> Tensor:
    """Return t from 0 to 1 for every data point alike, shape `(steps + 1, N)`; a sigmoid is dense at both ends.

    The sigmoid is that of Grosse et al. 2015, arXiv:1511.02543, for starts as far away as the prior.
    """
    grid = torch.linspace(0, 1, steps + 1)
    if schedule == "sigmoid":
        grid = torch.linspace(-4, 4, steps + 1).sigmoid()
        grid = (grid - grid[0]) / (grid[-1] - grid[0])
    return grid.to(device).unsqueeze(-1).expand(-1, points)


def placed(temperatures: Tensor, spread: Tensor, steps: int) -> Tensor:
    """Return temperatures between which the weights lose the same effective size each, shape `(steps + 1, N)`.

    The weight of a small step dt has a variance of (dt s(t))^2, where s is the spread over draws at t of log p(x, z) -
    log q_0(z): equal parts of the integral of s have equal effective sizes (Gelman & Meng 1998, section 4).

    Args:
        temperatures: of a pilot run, `(P + 1, N)`.
        spread: s at each of them, `(P + 1, N)`.
        steps: how many are wanted.
    """
    spread = spread + _EVEN * spread.mean(0) + 1e-6
    length = 0.5 * (spread[1:] + spread[:-1]) * temperatures.diff(dim=0)
    travelled = torch.cat([torch.zeros_like(length[:1]), length.cumsum(0)])
    travelled = travelled / travelled[-1]
    wanted = torch.linspace(0, 1, steps + 1, device=spread.device, dtype=spread.dtype)
    found = interpolated(wanted.unsqueeze(-1).expand(-1, spread.shape[1]), travelled, temperatures)
    found[0], found[-1] = 0.0, 1.0
    return found


def interpolated(at: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """Return values between known places, linearly, column by column.

    Args:
        at: places, `(S, N)`.
        known: increasing places, `(P + 1, N)`, which enclose `at`.
        values: at these, `(P + 1, N)`.
    """
    above = torch.searchsorted(known.T.contiguous(), at.T.contiguous()).T.clamp(1, len(known) - 1)
    low, high = known.gather(0, above - 1), known.gather(0, above)
    share = ((at - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    start, end = values.gather(0, above - 1), values.gather(0, above)
    return start + share * (end - start)


def enough(log_weights: Tensor, steps: int, share: float, most: int) -> int:
    """Return the number of temperatures at which the effective share of the chains is about `share`.

    Log weights that are sums of many small parts are about normal; with variance v their effective share is exp(-v),
    and v falls as 1 / the number of temperatures.

    Args:
        log_weights: of a pilot run, `(C, N)`.
        steps: temperatures of the pilot run.
        share: in (0, 1).
        most: bound on what is returned.
    """
    variance = float(log_weights.std(0).mean()) ** 2  # of the mean spread: one wild point does not decide for all
    wanted = math.ceil(steps * variance / -math.log(share)) if math.isfinite(variance) else most
    return min(max(wanted, 4), most)
