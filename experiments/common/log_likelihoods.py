"""Log-likelihoods of many test samples, batch by batch, and their table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tqdm import tqdm

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.estimators import Estimate, batch_seed, conditional_log_likelihood, log_likelihood


def estimate(
    model: MultimodalVAE,
    guide: Guide,
    batches: Iterable[Batch],
    *,
    on: Iterable[str] = (),
    evidence: str = "prior",
    seed: int = 0,
    **options: Any,
) -> Estimate:
    """Return the log-likelihood of every test sample, or the conditional one, with a progress bar.

    Args:
        model: the generative model.
        guide: gives the proposals.
        batches: test samples; each batch has draws of its own.
        on: modalities that are conditioned on, if any.
        evidence: how their probability is estimated, see `conditional_log_likelihood`.
        seed: of the draws.
        options: of `log_likelihood`.

    Raises:
        ValueError: there are no test samples, or see `log_likelihood`.
    """
    device = next(model.parameters()).device
    found = []
    for number, batch in enumerate(tqdm(batches, "log-likelihood", unit="batch")):
        common = {**options, "seed": batch_seed(seed, number)}
        if known := list(on):
            common |= {"on": known, "evidence": evidence}
        found.append(
            (conditional_log_likelihood if known else log_likelihood)(model, guide, batch.to(device), **common)
        )
    return Estimate.cat(found)


def posterior_given(names: Iterable[str]) -> str:
    """Return a proposal in words."""
    return f"q(z | {given})" if (given := ", ".join(names)) else "p(z)"


def table(rows: Iterable[tuple[str, str, Mapping[str, float]]]) -> str:
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


def _numbers(found: Mapping[str, float]) -> list[str]:
    return [
        f"{found['mean']:.2f} ± {found['se']:.2f}",
        "-" if math.isnan(found["mc_se"]) else f"{found['mc_se']:.3f}",
        f"{found['ess']:.0f}",
        "-" if math.isnan(found["khat_over_0.7"]) else f"{100 * found['khat_over_0.7']:.1f} %",
        f"{found['n']:.0f}",
    ]
