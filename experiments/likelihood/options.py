"""Options of the estimates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from pyro_mmvae.experiments.common.ranges import Count, PartialShare, Positive, check

ABOUT = """Estimate log-likelihoods of a trained run, of any experiment, on the samples that its results are of.

    python -m experiments.likelihood RUN --of image --given image label       log p(image) from q(z | image, label)
    python -m experiments.likelihood RUN --of image --on label                log p(image | label)
    python -m experiments.likelihood RUN --gaps                               what the guide loses, by what it sees
    python -m experiments.likelihood RUN --calibration 1000                   is its posterior as wide as the model's?

The table is printed and saved in RUN/likelihood."""


@dataclass(frozen=True)
class Options:
    """Options of the estimates; what a number means and when to distrust it is on the page on estimators."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    of: tuple[str, ...] = ()
    """Modalities whose probability is wanted; at least one."""
    gaps: bool = False
    """Instead of a log-likelihood, the guide's inference gap, split into approximation and amortisation, for each input
    that has a density alone and all of them together; --given for these together only."""
    calibration: Count = 0
    """Instead of a log-likelihood, ranks of latent vectors that made so many simulated data points among the guide's
    draws: uniform where its posterior is the model's."""
    given: tuple[str, ...] = ()
    """Modalities that the proposal looks at; all that the guide sees if left out."""
    on: tuple[str, ...] = ()
    """Modalities that are conditioned on, if any: log p(of given on) = log p(of, on) - log p(on)."""
    evidence: Literal["prior", "importance"] | None = None
    """How log p(on) is estimated: draws from the prior, as the literature does, or importance samples. None: from the
    prior for labels alone, since draws from the prior never hit an image."""
    num_samples: Positive = 1000
    """Importance samples for each test sample."""
    defensive: PartialShare = 0.0
    """Share of the proposal that is the prior; it bounds the weights where the posterior is too narrow."""
    refine: Count = 0
    """Steps in which each test sample's proposal is improved before it is used."""
    anneal: Literal["prior", "guide", "refined", "laplace"] | None = None
    """Annealed importance sampling instead of plain: some thousands of decodings for each sample, and tight where
    k-hat is high. Chains start from a Gaussian fitted to each sample (laplace, the tightest; refined, for what cannot
    be differentiated twice), from the guide's posterior as it is, or from the prior, which takes 100,000s."""
    temperatures: Positive | None = None
    """With --anneal: number of temperatures. None: as many as an effective share of 0.7 of the chains takes, or 300
    from the prior."""
    chains: Positive = 8
    """With --anneal: chains for each test sample; k-hat is told from 40 on."""
    leapfrog: Positive | None = None
    """With --anneal: Hamiltonian steps at each temperature. None: 4, or 10 from the prior."""
    simulate: Count | None = None
    """With --anneal: data points to simulate from the model, whose log-likelihood annealing bounds from both sides;
    the gap is printed beside the estimate and says how far it can be trusted. None: 50, or 0 with --on; 0: none."""
    test_samples: Positive | None = None
    """Test samples, always the same ones. None: all."""
    seed: int = 0
    """Of the draws."""
    device: str = "auto"
    """auto, cpu, cuda."""
    best: bool | None = None
    """Use the best checkpoint rather than the last. None: if the run stops early."""
    allow: tuple[str, ...] = ()
    """Code of your own that the run names, by import path. Nothing else from outside of this package is imported."""
    out: Path | None = None
    """Folder for the results. None: RUN/likelihood."""


def checked(options: Options) -> Options:
    """Refuse options out of their range.

    Raises:
        ValueError: there is one.
    """
    check(options)
    if options.gaps or options.calibration:
        return _checked_quality(options)
    _check_annealing(options)
    if not options.of:
        raise ValueError("--of: expected at least one modality")
    if both := set(options.of) & set(options.on):
        raise ValueError(f"--on: {sorted(both)} cannot be conditioned on and be asked for in --of at once")
    return options


def _checked_quality(options: Options) -> Options:
    """Refuse what judging a guide has no use for."""
    if options.gaps and options.calibration:
        raise ValueError("--gaps: expected one of --gaps and --calibration, got both")
    what = "--gaps" if options.gaps else "--calibration"
    useless = ["of", "on", "evidence", "defensive", "refine", "simulate"]
    useless += [] if options.gaps else ["anneal", "temperatures", "leapfrog", "test_samples"]
    if used := [f"--{name.replace('_', '-')}" for name in useless if getattr(options, name)]:
        raise ValueError(f"{what}: it has no use for {', '.join(used)}; leave them out")
    return options


def _check_annealing(options: Options) -> None:
    if not options.anneal:
        extra = {"simulate": options.simulate, "temperatures": options.temperatures, "leapfrog": options.leapfrog}
        if given := [name for name, value in extra.items() if value]:
            raise ValueError(f"--{given[0]}: it belongs to --anneal, which is missing")
        return
    if options.simulate and options.on:
        raise ValueError("--simulate: a conditional is a difference of two bounds, which has none; leave --on out")
    names = ("given", "defensive", "refine") if options.anneal == "prior" else ("defensive", "refine")
    if used := [f"--{name}" for name in names if getattr(options, name)]:
        raise ValueError(f"--anneal {options.anneal}: it has no use for {', '.join(used)}; leave them out")
