"""Annealed importance sampling of a run's test samples, and of data simulated from its model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pyro_mmvae import Batch, MultimodalVAE
from pyro_mmvae.estimators import Annealing, Estimate, annealed_log_likelihood, batch_seed, bidirectional
from pyro_mmvae.experiments.likelihood.options import Options


class Bounds(NamedTuple):
    """Mean bounds on the log-likelihood of simulated data, in nats."""

    lower: float
    upper: float
    n: int


def annealed(model: MultimodalVAE, batches: Iterable[Batch], options: Options) -> Estimate:
    """Return the annealed estimate of every test sample, with a progress bar for each batch.

    Args:
        model: on the device to use.
        batches: the samples.
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
        for number, batch in enumerate(batches)
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
