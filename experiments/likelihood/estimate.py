"""Estimate, print and save."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from experiments.common import configuration
from experiments.common.files import write_json, write_text
from experiments.common.log_likelihoods import estimate, table
from experiments.common.opened import device_of, open_run
from experiments.common.runs import versions
from experiments.likelihood.options import Options


def estimate_run(options: Options) -> dict[str, Any]:
    """Estimate what was asked for, print the table and save it as JSON and markdown.

    Args:
        options: checked.

    Returns:
        What is in the JSON file.

    Raises:
        FileNotFoundError: there is no run, or its data are gone.
        ValueError: a modality is unknown, or its likelihood is an energy and no density.
    """
    opened = open_run(options.run, options.test_samples, options.best)
    options = replace(options, given=options.given or opened.guide.inputs)
    device = device_of(options.device)
    found = estimate(
        opened.model.to(device),
        opened.guide.to(device),
        opened.batches,
        of=options.of,
        given=options.given,
        on=options.on,
        evidence=options.evidence,
        num_samples=options.num_samples,
        seed=options.seed,
        **_proposal(options),
    )
    content = {
        "quantity": quantity(options),
        "log_likelihood": found.summary(),
        "experiment": opened.experiment,
        "options": configuration.plain(options),
        "versions": versions(),
    }
    text = table([(quantity(options), ", ".join(options.given), found.summary())])
    folder = options.out or options.run / "likelihood"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(content, folder / f"{file_name(options)}.json")
    write_text(f"{text}\n", folder / f"{file_name(options)}.md")
    print(f"\n{text}\n\nsaved: {folder / file_name(options)}.json and .md")
    return content


def quantity(options: Options) -> str:
    """Return what is estimated, such as `log p(image | label)`."""
    on = f" | {', '.join(options.on)}" if options.on else ""
    return f"log p({', '.join(options.of)}{on})"


def file_name(options: Options) -> str:
    """Return a name that tells estimates apart; the same options give the same numbers and so the same file."""
    parts = ["+".join(options.of)]
    if options.on:
        parts += ["on", "+".join(options.on), options.evidence]
    parts += ["given", "+".join(options.given), f"k{options.num_samples}", f"s{options.seed}"]
    parts += [f"{name}{value:g}" for name, value in _proposal(options).items()]
    return "-".join(parts + ([f"n{options.test_samples}"] if options.test_samples else []))


def _proposal(options: Options) -> dict[str, Any]:
    chosen = {"defensive": options.defensive, "refine": options.refine}
    return {name: value for name, value in chosen.items() if value}
