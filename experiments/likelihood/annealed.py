"""Annealed importance sampling of a run's test samples, and of data simulated from its model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.estimators import (
    Annealing,
    Estimate,
    Sandwich,
    annealed_log_likelihood,
    batch_seed,
    bidirectional,
    conditional_log_likelihood,
)
from pyro_mmvae.experiments.likelihood.options import Options

SIMULATED = 50
"""Data points that are simulated unless something else is asked for."""


def annealed(model: MultimodalVAE, guide: Guide, batches: Iterable[Batch], options: Options) -> Estimate:
    """Return the annealed estimate of every test sample, with progress bars for each batch.

    Args:
        model: on the device to use.
        guide: gives the start.
        batches: the samples.
        options: checked.
    """
    device, found = model.device, []
    for number, whole in enumerate(batches):
        batch, seed = whole.to(device), batch_seed(options.seed, number)
        given = None if options.anneal == "prior" else options.given
        common: dict[str, Any] = {"of": options.of, "given": given, "seed": seed, "progress": True}
        if options.on:
            common |= {"on": options.on, "evidence": options.evidence or "importance"}
            estimate = conditional_log_likelihood(
                model, guide, batch, anneal=annealing_of(options), start=options.anneal, **common
            )
        else:
            estimate = annealed_log_likelihood(model, batch, guide=guide, **_settings(options), **common)
        found.append(estimate)
    return Estimate.cat(found)


def simulated_bounds(model: MultimodalVAE, guide: Guide, options: Options) -> Sandwich | None:
    """Return bounds from both sides on data that the model itself has made, if any are asked for.

    The guide looks at those of `given` that the model can make.
    """
    count = options.simulate if options.simulate is not None else (0 if options.on else SIMULATED)
    if not count:
        return None
    can_be_made = [n for n in options.given if n in model.names and model.normalised([n])]
    given = None if options.anneal == "prior" else can_be_made
    return bidirectional(
        model, count, guide=guide, of=options.of, given=given, seed=options.seed, progress=True, **_settings(options)
    )


def _settings(options: Options) -> dict[str, Any]:
    return {"start": options.anneal, "annealing": annealing_of(options)}


def annealing_of(options: Options) -> Annealing:
    """Return the settings of chains that options ask for."""
    return Annealing(options.temperatures, options.chains, options.leapfrog)
