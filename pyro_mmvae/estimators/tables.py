"""Tables of log-likelihoods and bounds, for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from pyro_mmvae.estimators.gaps import InferenceGap
from pyro_mmvae.estimators.grid import Quantity, Summaries, Summary
from pyro_mmvae.table import Subset


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


def gaps_report(gaps: Mapping[Subset, InferenceGap]) -> str:
    """Return inference gaps as aligned markdown, a line for each subset."""
    head = ["nats per sample", "log p", "ELBO", "gap", "amortisation", "approximation", "n"]
    lines = [head]
    for subset, gap in gaps.items():
        s = gap.summary()
        numbers = [f"{s[name]:.2f} ± {s[f'{name}_se']:.2f}" for name in ("gap", "amortisation", "approximation")]
        lines.append(
            [posterior_given(subset), f"{s['log_likelihood']:.2f}", f"{s['elbo']:.2f}", *numbers, f"{s['n']:.0f}"]
        )
    lines[1:] = [[_cell(line[0]), *line[1:]] for line in lines[1:]]
    return _aligned(lines)


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
    return _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
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
