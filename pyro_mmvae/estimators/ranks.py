"""Simulation-based calibration: is a guide's posterior as wide, and where, as the model's own is?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from pyro_mmvae.arguments import check_count, names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import posterior_under
from pyro_mmvae.checks import evaluation
from pyro_mmvae.estimators.importance import BLOCK_POINTS, CHUNK_ROWS, check_given
from pyro_mmvae.estimators.proposal import scored_draws
from pyro_mmvae.estimators.seeds import seeded
from pyro_mmvae.estimators.simulate import simulated
from pyro_mmvae.estimators.target import Target, refuse_energies
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


@dataclass(frozen=True)
class Calibration:
    """Ranks of the latent vectors that made N data points among L draws from a guide's posterior of these.

    Attributes:
        ranks: of each latent dimension, from 0 to L, shape `(N, D)`. Uniform where the posterior is exact; in the
            middle where it is too wide, at both ends where it is too narrow, to one side where it is shifted.
        joint: the same of log p(x, z), shape `(N,)`, which sees what no dimension alone shows, such as correlations
            that the guide lacks.
        given: what the guide looked at.
        num_samples: L.
    """

    ranks: Tensor
    joint: Tensor
    given: tuple[str, ...]
    num_samples: int

    def histogram(self, bins: int = 20) -> NDArray[np.int64]:
        """Return counts of ranks, shape `(D, bins)`; L + 1 should be a multiple of `bins`."""
        return np.stack([self._counts(column, bins) for column in self.ranks.T])

    def joint_histogram(self, bins: int = 20) -> NDArray[np.int64]:
        """Return counts of the ranks of log p(x, z), shape `(bins,)`."""
        return self._counts(self.joint, bins)

    def p_values(self, bins: int = 20) -> NDArray[np.float64]:
        """Return p-values of a chi-squared test of uniform ranks, one for each dimension, shape `(D,)`."""
        return np.asarray(stats.chisquare(self.histogram(bins), axis=1).pvalue)

    def summary(self, bins: int = 20) -> dict[str, float]:
        """Return what the ranks say in all.

        Returns:
            `p_value` of the worst dimension, times the number of dimensions (Bonferroni), and `p_value_joint` of log
            p(x, z); small where the guide is wrong. `width`, the mean standard deviation of ranks in units of a uniform
            one: below 1 posteriors are too wide, above 1 too narrow. `shift`, the mean distance of a dimension's mean
            rank from the middle, as a share of L. `n`, the number of data points.
        """
        share = self.ranks.double() / self.num_samples
        uniform = float(np.sqrt((self.num_samples + 2) / (12 * self.num_samples)))
        joint = stats.chisquare(self.joint_histogram(bins)).pvalue
        return {
            "p_value": min(float(self.p_values(bins).min()) * self.ranks.shape[1], 1.0),
            "p_value_joint": float(joint),
            "width": float(share.std(0).mean()) / uniform,
            "shift": float((share.mean(0) - 0.5).abs().mean()),
            "n": float(len(self.ranks)),
        }

    def _counts(self, ranks: Tensor, bins: int) -> NDArray[np.int64]:
        return np.histogram(ranks.cpu().numpy(), bins=bins, range=(-0.5, self.num_samples + 0.5))[0]

    def __str__(self) -> str:
        s = self.summary()
        return (
            f"q(z | {', '.join(self.given)}) on {s['n']:.0f} simulated data: ranks are {s['width']:.2f} times as "
            f"wide as uniform ones, shifted by {s['shift']:.3f}; p = {s['p_value']:.2g} for z, "
            f"{s['p_value_joint']:.2g} for log p(x, z)"
        )


def calibration(
    model: MultimodalVAE,
    guide: Guide,
    num_points: int = 1000,
    *,
    given: Sequence[str] | None = None,
    num_samples: int = 99,
    seed: int = 0,
    chunk_rows: int = CHUNK_ROWS,
) -> Calibration:
    """Simulate data from the model and rank the latent vectors that made them among draws of the guide.

    Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788), with log p(x, z) as a quantity that depends on
    the data (Modrak et al. 2023, arXiv:2211.02383). It judges the guide alone: the data are the model's own.

    Args:
        model: the generative model.
        guide: what is judged.
        num_points: number N of data points.
        given: what the guide looks at; by default all its inputs that the model can make.
        num_samples: draws L for each data point; L + 1 should be a multiple of the number of bins, 20.
        seed: of everything drawn.
        chunk_rows: rows that decoders see at once.

    Raises:
        ValueError: names that the guide does not have or the model cannot make, or fewer than one point or draw.
        IncompatibleError: a likelihood of `given` is an energy.
    """
    for name, value in (("num_points", num_points), ("num_samples", num_samples), ("chunk_rows", chunk_rows)):
        check_count(value, name)
    if given is None:
        given = [n for n in guide.inputs if n in model.names and model.normalised([n])]
    given = names_of(given, "given")
    refuse_energies(model, [n for n in given if n in model.names])
    ranks, joints = [], []
    with torch.no_grad(), evaluation(model, guide), seeded(seed, model.device):
        z, batch = simulated(model, num_points)
        if not given:
            raise ValueError(f"given: expected one or more of {list(guide.inputs)}, got none")
        check_given(guide, batch, given)
        for first in range(0, num_points, BLOCK_POINTS):
            place = slice(first, first + BLOCK_POINTS)
            rank, joint = _ranks(model, guide, z[place], batch[place], given, num_samples, chunk_rows)
            ranks.append(rank)
            joints.append(joint)
    return Calibration(torch.cat(ranks), torch.cat(joints), given, num_samples)


def _ranks(
    model: MultimodalVAE,
    guide: Guide,
    z: Tensor,
    batch: Batch,
    given: tuple[str, ...],
    num_samples: int,
    chunk_rows: int,
) -> tuple[Tensor, Tensor]:
    target = Target(model, batch, given, chunk_rows)
    posterior = posterior_under(model, guide, batch.given(given), target.prior)
    rank, joint = torch.zeros_like(z, dtype=torch.long), torch.zeros(len(z), dtype=torch.long, device=z.device)
    truth = target.log_joint(z.unsqueeze(0))
    for first in range(0, num_samples, target.draws):
        draws, _ = scored_draws(posterior, min(target.draws, num_samples - first))
        rank += (draws < z).sum(0)
        joint += (target.log_joint(draws) < truth).sum(0)
    return rank, joint
