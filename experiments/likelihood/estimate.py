"""Estimate, print and save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from pyro_mmvae import MultimodalVAE
from pyro_mmvae.estimators import Estimate
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.files import write_json, write_text
from pyro_mmvae.experiments.common.log_likelihoods import estimate, posterior_given, table
from pyro_mmvae.experiments.common.opened import OpenedRun, device_of, open_run
from pyro_mmvae.experiments.common.runs import versions
from pyro_mmvae.experiments.likelihood.annealed import annealed, simulated_bounds
from pyro_mmvae.experiments.likelihood.options import Options
from pyro_mmvae.likelihoods import Categorical


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
    if not options.anneal:
        options = replace(
            options,
            given=options.given or opened.guide.inputs,
            evidence=options.evidence or _evidence(opened.model, options.on),
        )
    device = device_of(options.device)
    model = opened.model.to(device)
    found = annealed(opened, model, options) if options.anneal else _from_the_guide(opened, model, options)
    content = {
        "quantity": quantity(options),
        "log_likelihood": found.summary(),
        "experiment": opened.experiment,
        "options": configuration.plain(options),
        "versions": versions(),
    }
    text = table([(quantity(options), proposal(options), found.summary())])
    if options.simulate:
        bounds = simulated_bounds(model, options)
        content["simulated"] = bounds._asdict()
        text += (
            f"\n\n{bounds.n} data points simulated from the model: {quantity(options)} is "
            f"between {bounds.lower:.2f} and {bounds.upper:.2f}"
        )
    folder = options.out or options.run / "likelihood"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(content, folder / f"{file_name(options)}.json")
    write_text(f"{text}\n", folder / f"{file_name(options)}.md")
    print(f"\n{text}\n\nsaved: {folder / file_name(options)}.json and .md")
    return content


def _evidence(model: MultimodalVAE, on: Sequence[str]) -> Literal["prior", "importance"]:
    labels = all(name in model.names and isinstance(model.likelihood(name), Categorical) for name in on)
    return "prior" if labels else "importance"


def _from_the_guide(opened: OpenedRun, model: MultimodalVAE, options: Options) -> Estimate:
    return estimate(
        model,
        opened.guide.to(model.device),
        opened.batches,
        of=options.of,
        given=options.given,
        on=options.on,
        evidence=options.evidence or "importance",
        num_samples=options.num_samples,
        seed=options.seed,
        **_improvements(options),
    )


def proposal(options: Options) -> str:
    """Return where the draws come from, in words."""
    if options.anneal:
        return f"annealed, {options.anneal} temperatures, {options.chains} chains"
    source = {"prior": "p(z)", "importance": "its posterior"}.get(options.evidence or "")
    evidence = f"; log p({', '.join(options.on)}) from {source}" if options.on else ""
    return f"{posterior_given(options.given)}{evidence}"


def quantity(options: Options) -> str:
    """Return what is estimated, such as `log p(image | label)`."""
    on = f" | {', '.join(options.on)}" if options.on else ""
    return f"log p({', '.join(options.of)}{on})"


def file_name(options: Options) -> str:
    """Return a name that tells estimates apart; the same options give the same numbers and so the same file."""
    parts = ["+".join(options.of)]
    if options.on:
        parts += ["on", "+".join(options.on), options.evidence or ""]
    if options.anneal:
        parts += [f"annealed{options.anneal}", f"c{options.chains}", f"s{options.seed}"]
        parts += [f"simulated{options.simulate}"] if options.simulate else []
    else:
        parts += ["given", "+".join(options.given), f"k{options.num_samples}", f"s{options.seed}"]
        parts += [f"{name}{value:g}" for name, value in _improvements(options).items()]
    return "-".join(parts + ([f"n{options.test_samples}"] if options.test_samples else []))


def _improvements(options: Options) -> dict[str, Any]:
    chosen = {"defensive": options.defensive, "refine": options.refine}
    return {name: value for name, value in chosen.items() if value}
