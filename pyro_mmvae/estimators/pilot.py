"""A pilot run of chains, from which step sizes and temperatures are chosen; its draws are used for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pyro_mmvae.estimators.chains import Chains, Path
from pyro_mmvae.estimators.temperatures import enough, fixed, interpolated, placed

if TYPE_CHECKING:
    from pyro_mmvae.estimators.annealing import Annealing

PILOT_CHAINS = 4
PILOT_TEMPERATURES = 10
_RATE = 0.5
"""How fast step sizes follow the acceptance."""


def tuned(chains: Chains, annealing: Annealing, far: bool) -> Path:
    """Return temperatures and step sizes by data point.

    Args:
        chains: between start and posterior.
        annealing: what is asked for.
        far: whether the start is the prior. The pilot run is then as long as the run itself: chains have far to go.
    """
    schedule = annealing.schedule or ("sigmoid" if far else "effective")
    steps = annealing.num_temperatures or (300 if far else None)
    short = PILOT_TEMPERATURES if steps is None else min(PILOT_TEMPERATURES, steps)
    pilot = _Pilot(chains, annealing)
    pilot.run("sigmoid" if far else "linear", steps if far and steps else short)
    if steps is None:
        steps = enough(pilot.log_weights, short, annealing.effective_share, annealing.max_temperatures)
    if schedule == "effective":
        temperatures = placed(pilot.temperatures, pilot.spread, steps)
    else:
        temperatures = fixed(schedule, steps, pilot.temperatures.shape[1], pilot.temperatures.device)
        temperatures = temperatures.to(pilot.temperatures.dtype)
    return Path(temperatures, interpolated(temperatures, pilot.temperatures, pilot.step_sizes))


class _Pilot:
    """A run whose step sizes follow the acceptance.

    Attributes:
        temperatures: `(P + 1, N)`.
        step_sizes: after the move at each, `(P + 1, N)`.
        spread: standard deviation over chains of log p(x, z) - log q_0(z) there, `(P + 1, N)`.
        log_weights: `(C, N)`.
    """

    temperatures: Tensor
    step_sizes: Tensor
    spread: Tensor
    log_weights: Tensor

    def __init__(self, chains: Chains, annealing: Annealing) -> None:
        self.chains, self.annealing = chains, annealing

    def run(self, schedule: str, steps: int) -> None:
        """Make the run."""
        count = max(min(self.annealing.num_chains, PILOT_CHAINS), 2)
        state = self.chains.at(self.chains.start.sample(count))
        points = state.z.shape[1]
        grid = fixed("sigmoid" if schedule == "sigmoid" else "linear", steps, points, state.z.device)
        self.temperatures = grid.to(state.z.dtype).contiguous()
        size = torch.full_like(self.temperatures[0], self.annealing.first_step_size)
        sizes, spread, self.log_weights = [size], [_spread(state.gain)], torch.zeros_like(state.joint)
        for step in self.chains.bar(range(steps), "pilot"):
            before, after = self.temperatures[step], self.temperatures[step + 1]
            self.log_weights += (after - before) * state.gain
            state, accepted = self.chains.move(state, after, size)
            size = (size * (_RATE * (accepted.mean(0) - self.annealing.acceptance)).exp()).clamp(1e-5, 2.0)
            sizes.append(size)
            spread.append(_spread(state.gain))
        self.step_sizes, self.spread = torch.stack(sizes), torch.stack(spread)


def _spread(gain: Tensor) -> Tensor:
    return torch.nan_to_num(gain.std(0), nan=0.0, posinf=1e6)
