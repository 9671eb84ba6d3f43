"""Log-likelihoods and bounds of many test samples by quantity and proposal, and their tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from tqdm import tqdm

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.estimators import Estimate, batch_seed, difference, elbos, log_likelihoods
from pyro_mmvae.experiments.common.experiment import Column
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


def columns(
    found: Summaries, quantities: Mapping[str, Quantity], published: Mapping[tuple[str, str], float | None]
) -> dict[str, Column]:
    """Return what `grid` found as columns of a comparison, with each proposal's share of high k-hats.

    Args:
        found: as `metrics.json` has it.
        quantities: by name.
        published: by proposal, `a+b`, and quantity.
    """
    places = [(given, name) for given, names in found.items() for name in names]
    values = {
        f"{quantities[name].title} from q(z|{given})": Column.of(
            found[given][name]["mean"], published=published.get((given, name))
        )
        for given, name in places
    }
    khats = {given: next(iter(names.values()))["khat_over_0.7"] for given, names in found.items()}
    return values | {f"k-hat > 0.7 from q(z|{given})": Column.of(share, "lower") for given, share in khats.items()}


def report(found: Summaries, quantities: Mapping[str, Quantity], refine: int = 0, prefix: str = "") -> str:
    """Return what `grid` found as a table; `refine` is said with the proposals."""
    fitted = f", refined {refine} steps" if refine else ""
    rows = [
        (f"{prefix}{quantities[name].title}", posterior_given(given.split("+")) + fitted, summary)
        for given, columns in found.items()
        for name, summary in columns.items()
    ]
    return table(rows)


def bounds_report(found: Summaries, quantities: Mapping[str, Quantity]) -> str:
    """Return what `bounds` found, a line for each posterior."""
    return "\n".join(
        f"ELBO from {posterior_given(given.split('+'))}: "
        + ", ".join(f"{v['mean']:.2f} ± {v['se']:.2f} of {quantities[name].title}" for name, v in values.items())
        for given, values in found.items()
    )


def posterior_given(names: Iterable[str]) -> str:
    """Return a proposal in words."""
    return f"q(z | {given})" if (given := ", ".join(names)) else "p(z)"


def table(rows: Iterable[tuple[str, str, Summary]]) -> str:
    """Return summaries of estimates as aligned markdown.

    Args:
        rows: the quantity, the proposal in words, and `Estimate.summary()`.
    """
    head = ["nats per sample", "proposal", "mean ± se", "Monte-Carlo se", "ESS", "k-hat > 0.7", "n"]
    lines = [head, *([_cell(what), _cell(proposal), *_numbers(found)] for what, proposal, found in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *text[1:]])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")  # a bar would begin the next cell


def _numbers(found: Summary) -> list[str]:
    return [
        f"{found['mean']:.2f} ± {found['se']:.2f}",
        "-" if math.isnan(found["mc_se"]) else f"{found['mc_se']:.3f}",
        f"{found['ess']:.0f}",
        "-" if math.isnan(found["khat_over_0.7"]) else f"{100 * found['khat_over_0.7']:.1f} %",
        f"{found['n']:.0f}",
    ]
