"""Annealed importance sampling of a run's test samples, and of data simulated from its model."""

from __future__ import annotations

from typing import NamedTuple

from pyro_mmvae import MultimodalVAE
from pyro_mmvae.estimators import Annealing, Estimate, annealed_log_likelihood, batch_seed, bidirectional
from pyro_mmvae.experiments.common.opened import OpenedRun
from pyro_mmvae.experiments.likelihood.options import Options


class Bounds(NamedTuple):
    """Mean bounds on the log-likelihood of simulated data, in nats."""

    lower: float
    upper: float
    n: int


def annealed(opened: OpenedRun, model: MultimodalVAE, options: Options) -> Estimate:
    """Return the annealed estimate of every test sample, with a progress bar for each batch.

    Args:
        opened: the run.
        model: its model, on the device to use.
        options: checked.
    """
    annealing = _annealing(options)
    device = model.device
    found = [
        annealed_log_likelihood(
            model,
            batch.to(device),
            of=options.of,
            annealing=annealing,
            seed=batch_seed(options.seed, number),
            progress=True,
        )
        for number, batch in enumerate(opened.batches)
    ]
    return Estimate.cat(found)


def simulated_bounds(model: MultimodalVAE, options: Options) -> Bounds:
    """Return bounds from both sides on data that the model itself has made."""
    sandwich = bidirectional(
        model, options.simulate, of=options.of, annealing=_annealing(options), seed=options.seed, progress=True
    )
    return Bounds(sandwich.lower.mean, float(sandwich.upper.mean()), options.simulate)


def _annealing(options: Options) -> Annealing:
    return Annealing(num_temperatures=options.anneal, num_chains=options.chains)
