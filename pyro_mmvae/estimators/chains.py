"""Chains of Hamiltonian Monte Carlo between a start q_0(z) and the posterior of z."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.estimators.floats import precise
from pyro_mmvae.estimators.start import Start
from pyro_mmvae.estimators.target import Target


@dataclass
class State:
    """Chains at one place.

    Attributes:
        z: `(C, N, D)`.
        start: log q_0(z), `(C, N)`.
        joint: log p(x, z), `(C, N)`.
        start_slope: gradient of `start` in z, `(C, N, D)`.
        joint_slope: gradient of `joint`. With both at hand, no temperature needs a gradient of its own.
    """

    z: Tensor
    start: Tensor
    joint: Tensor
    start_slope: Tensor
    joint_slope: Tensor

    @property
    def gain(self) -> Tensor:
        """Log p(x, z) - log q_0(z), `(C, N)`: what a weight gains with temperature."""
        return self.joint - self.start

    def log_density(self, t: Tensor) -> Tensor:
        """Return (1 - t) log q_0 + t log p, not normalised, `(C, N)`, for t `(N,)`."""
        return (1 - t) * self.start + t * self.joint

    def slope(self, t: Tensor) -> Tensor:
        """Return the gradient of `log_density`, `(C, N, D)`."""
        t = t.unsqueeze(-1)
        return (1 - t) * self.start_slope + t * self.joint_slope

    def replaced(self, other: State, chosen: Tensor) -> State:
        """Return the other state where it is chosen, bool `(C, N)`."""
        parts = []
        for field in fields(self):
            old, new = getattr(self, field.name), getattr(other, field.name)
            parts.append(torch.where(chosen.unsqueeze(-1) if old.dim() == 3 else chosen, new, old))
        return State(*parts)


@dataclass(frozen=True)
class Path:
    """What chains are moved by, for each data point.

    Attributes:
        temperatures: t from 0 to 1, `(T + 1, N)`; chains move at all but the first.
        step_sizes: of the leapfrog at each temperature, in whitened coordinates, `(T + 1, N)`.
    """

    temperatures: Tensor
    step_sizes: Tensor

    def __len__(self) -> int:
        return len(self.temperatures) - 1


class Chains:
    """Moves that leave q_0(z)^(1 - t) p(x, z)^t as it is (Neal 2001, arXiv:physics/9803008; 2011, arXiv:1206.1901).

    Args:
        target: gives p(x, z) of N points.
        start: q_0.
        leapfrog_steps: of one proposal, made at each temperature.
        progress: show a bar for each run.
    """

    def __init__(self, target: Target, start: Start, leapfrog_steps: int, progress: bool = False) -> None:
        self.target, self.start = target, start
        self.leapfrog_steps, self.progress = leapfrog_steps, progress

    def forward(self, path: Path, chains: int) -> Tensor:
        """Return log weights of chains from the start to the posterior, `(C, N)`: E w = p(x)."""
        state = self.at(self.start.sample(chains))
        log_weights = _no_weights(state)
        for step in self.bar(range(len(path)), "forward"):
            before, after = path.temperatures[step], path.temperatures[step + 1]
            log_weights += (after - before) * state.gain
            if step + 1 < len(path):  # a move at t = 1 would change no weight
                state, _ = self.move(state, after, path.step_sizes[step + 1])
        return log_weights

    def reverse(self, z: Tensor, path: Path, chains: int) -> Tensor:
        """Return log weights `(C, N)` of chains that end in exact draws of the posterior `(N, D)`: E 1/w = 1/p(x)."""
        state = self.at(z.expand(chains, *z.shape))
        log_weights = _no_weights(state)
        for step in self.bar(range(len(path))[::-1], "reverse"):
            before, after = path.temperatures[step], path.temperatures[step + 1]
            if step + 1 < len(path):
                state, _ = self.move(state, after, path.step_sizes[step + 1])
            log_weights += (after - before) * state.gain
        return log_weights

    def bar(self, steps: Iterable[int], name: str) -> tqdm:
        """Return a progress bar over temperatures."""
        return tqdm(steps, name, unit="temperature", disable=not self.progress)

    def at(self, z: Tensor) -> State:
        """Return the state of chains at z `(C, N, D)`."""
        joint, joint_slope = self.target.slope(z)
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            start = self.start.log_prob(leaf)
            (start_slope,) = torch.autograd.grad(start.sum(), leaf)
        return State(z.detach(), start.detach(), joint, start_slope, joint_slope)

    def move(self, state: State, t: Tensor, size: Tensor) -> tuple[State, Tensor]:
        """Make one proposal at temperature t, with step sizes, both `(N,)`.

        Returns:
            The new state, and the probability of acceptance, `(C, N)`.
        """
        momentum = torch.randn_like(state.z)
        size = size.unsqueeze(-1)
        new, moving = state, momentum
        for _ in range(self.leapfrog_steps):
            moving = moving + 0.5 * size * self.start.colour(new.slope(t))
            new = self.at(new.z + size * self.start.colour(moving))
            moving = moving + 0.5 * size * self.start.colour(new.slope(t))
        gain = new.log_density(t) - state.log_density(t)
        gain = gain - 0.5 * (moving.square() - momentum.square()).sum(-1)
        probability = torch.nan_to_num(gain, nan=-torch.inf).clamp_max(0).exp()  # NaN: a step that diverged
        return state.replaced(new, torch.rand_like(probability) < probability), probability


def _no_weights(state: State) -> Tensor:
    return torch.zeros_like(state.joint, dtype=precise(state.z.device))
