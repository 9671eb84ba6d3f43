"""Log-likelihoods and bounds of many samples, by what the proposal looks at and by quantity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from tqdm import tqdm

from pyro_mmvae.batch import Batch
from pyro_mmvae.estimators.conditional import difference
from pyro_mmvae.estimators.elbo import elbos
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.importance import log_likelihoods
from pyro_mmvae.estimators.seeds import batch_seed
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.table import Subset

Summary = Mapping[str, float]
Summaries = Mapping[str, Mapping[str, Summary]]
"""By what the proposal looks at, `a+b`, and by the name of the quantity."""
Wanted = Mapping[Subset, Mapping[str, "Quantity"]]
"""Quantities by name, for each subset that a proposal looks at."""


class Quantity(NamedTuple):
    """A log-likelihood: of what, and conditional on what."""

    of: Subset
    on: Subset = ()

    @property
    def title(self) -> str:
        """What it is, e.g. `log p(image | label)`."""
        return f"log p({', '.join(self.of)}{' | ' if self.on else ''}{', '.join(self.on)})"


def grid(
    model: MultimodalVAE,
    guide: Guide,
    batches: Iterable[Batch],
    wanted: Wanted,
    *,
    num_samples: int,
    seed: int = 0,
    refine: int = 0,
) -> dict[str, dict[str, dict[str, float]]]:
    """Return log-likelihoods by what the proposal looks at and by quantity, in nats per sample.

    The quantities of a proposal share its draws. What is conditioned on is estimated with draws from the prior, as the
    literature does for labels.

    Args:
        model: the generative model.
        guide: gives the proposals; those that it cannot give are left out.
        batches: test samples; each batch has draws of its own.
        wanted: what is estimated from which proposals.
        num_samples: importance samples K.
        seed: of the draws.
        refine: steps of fitting the proposal to each sample.

    Returns:
        `Estimate.summary()` by proposal, `a+b`, and by the quantity's name.
    """
    device = next(model.parameters()).device
    seen = {given: names for given, names in wanted.items() if set(given) <= set(guide.inputs)}
    known = list(dict.fromkeys(q.on for names in seen.values() for q in names.values() if q.on))
    found: dict[Subset, dict[str, list[Estimate]]] = {given: {n: [] for n in names} for given, names in seen.items()}
    for number, whole in enumerate(tqdm(batches, "log-likelihoods", unit="batch")):
        batch, start = whole.to(device), batch_seed(seed, number)
        run = partial(_estimates, model, guide, batch, num_samples=num_samples)
        evidence = run(known, given=(), seed=start + 1)
        for given, names in seen.items():
            joint = run([(*q.of, *q.on) for q in names.values()], given=given, seed=start, refine=refine)
            for name, q in names.items():
                value = joint[(*q.of, *q.on)]
                found[given][name].append(difference(value, evidence[q.on], batch, q.of) if q.on else value)
    return {"+".join(g): {n: Estimate.cat(parts).summary() for n, parts in row.items()} for g, row in found.items()}


def _estimates(
    model: MultimodalVAE,
    guide: Guide,
    batch: Batch,
    of: Sequence[Subset],
    *,
    given: Subset,
    seed: int,
    num_samples: int,
    refine: int = 0,
) -> dict[Subset, Estimate]:
    subsets = list(dict.fromkeys(of))
    if not subsets:
        return {}
    numbers = log_likelihoods(
        model, guide, batch, of=subsets, given=given, num_samples=num_samples, seed=seed, refine=refine
    )
    return dict(zip(subsets, numbers, strict=True))


def bounds(
    model: MultimodalVAE, guide: Guide, batch: Batch, wanted: Wanted, *, seed: int = 0
) -> dict[str, dict[str, dict[str, float]]]:
    """Return evidence lower bounds by what the posterior looks at and by quantity, in nats per sample; see `grid`."""
    places = [(given, name) for given, names in wanted.items() if set(given) <= set(guide.inputs) for name in names]
    values = elbos(model, guide, batch, [(given, wanted[given][name].of) for given, name in places], seed=seed)
    found: dict[str, dict[str, dict[str, float]]] = {"+".join(given): {} for given, _ in places}
    for (given, name), value in zip(places, values, strict=True):
        found["+".join(given)][name] = value
    return found
