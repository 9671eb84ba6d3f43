"""Estimate, print and save."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from tqdm import tqdm

from pyro_mmvae import Batch, Loss, MultimodalVAE
from pyro_mmvae.environment import device_of, versions
from pyro_mmvae.estimators import Estimate, batch_seed, conditional_log_likelihood, log_likelihood
from pyro_mmvae.estimators.tables import posterior_given, table
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.runs import open_run
from pyro_mmvae.experiments.likelihood.annealed import annealed, simulated_bounds
from pyro_mmvae.experiments.likelihood.options import Options
from pyro_mmvae.experiments.likelihood.quality import judge_gaps, judge_ranks
from pyro_mmvae.experiments.likelihood.saving import keep
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
    opened = open_run(options.run, options.best, options.allow)
    device = device_of(options.device)
    loss = opened.loss.to(device)
    if options.calibration:
        return judge_ranks(loss.model, loss.guide, options)
    batches = opened.experiment.data().judged(options.test_samples)
    if options.gaps:
        return judge_gaps(loss.model, loss.guide, batches, options)
    options = replace(
        options,
        given=() if options.anneal == "prior" else options.given or loss.guide.inputs,
        evidence=options.evidence or _evidence(loss.model, options.on),
    )
    if options.anneal:
        found = annealed(loss.model, loss.guide, batches, options)
    else:
        found = _from_the_guide(loss, batches, options)
    content = {
        "quantity": quantity(options),
        "log_likelihood": found.summary(),
        "experiment": opened.experiment.config.experiment,
        "judge": opened.experiment.config.judge,
        "options": configuration.plain(options),
        "versions": versions(),
    }
    text = table([(quantity(options), proposal(options), found.summary())])
    if options.anneal and (sandwich := simulated_bounds(loss.model, loss.guide, options)):
        content["simulated"] = sandwich.summary()
        text += f"\n\n{sandwich}"
    keep(content, text, options, file_name(options))
    return content


def _evidence(model: MultimodalVAE, on: Sequence[str]) -> Literal["prior", "importance"]:
    labels = all(name in model.names and isinstance(model.likelihood(name), Categorical) for name in on)
    return "prior" if labels else "importance"


def _from_the_guide(loss: Loss, batches: Iterable[Batch], options: Options) -> Estimate:
    device = next(loss.parameters()).device
    common = {"of": options.of, "given": options.given, "num_samples": options.num_samples, **_improvements(options)}
    estimate: Any = log_likelihood
    if options.on:
        estimate = partial(conditional_log_likelihood, on=options.on, evidence=options.evidence or "importance")
    found = [
        estimate(loss.model, loss.guide, batch.to(device), seed=batch_seed(options.seed, number), **common)
        for number, batch in enumerate(tqdm(batches, "log-likelihood", unit="batch"))
    ]
    return Estimate.cat(found)


def proposal(options: Options) -> str:
    """Return where the draws come from, in words."""
    source = {"prior": "p(z)", "importance": "its posterior"}.get(options.evidence or "")
    evidence = f"; log p({', '.join(options.on)}) from {source}" if options.on else ""
    if not options.anneal:
        return f"{posterior_given(options.given)}{evidence}"
    steps = f"{options.temperatures} temperatures" if options.temperatures else "temperatures as needed"
    near = "" if options.anneal in ("prior", "guide") else f"{options.anneal} from "
    return f"annealed from {near}{posterior_given(options.given)}, {steps}, {options.chains} chains{evidence}"


def quantity(options: Options) -> str:
    """Return what is estimated, such as `log p(image | label)`."""
    on = f" | {', '.join(options.on)}" if options.on else ""
    return f"log p({', '.join(options.of)}{on})"


def file_name(options: Options) -> str:
    """Return a name that tells estimates apart; the same options give the same numbers and so the same file."""
    parts = ["+".join(options.of)]
    if options.on:
        parts += ["on", "+".join(options.on), options.evidence or ""]
    parts += ["given", "+".join(options.given)] if options.given else []
    if options.anneal:
        parts += [f"annealed-{options.anneal}", f"t{options.temperatures or ''}", f"c{options.chains}"]
        parts += [f"l{options.leapfrog}"] if options.leapfrog else []
        parts += [f"s{options.seed}"] + ([f"simulated{options.simulate}"] if options.simulate is not None else [])
    else:
        parts += [f"k{options.num_samples}", f"s{options.seed}"]
        parts += [f"{name}{value:g}" for name, value in _improvements(options).items()]
    parts += [f"n{options.test_samples}"] if options.test_samples else []
    return "-".join(parts + ([{True: "best", False: "last"}[options.best]] if options.best is not None else []))


def _improvements(options: Options) -> dict[str, Any]:
    chosen = {"defensive": options.defensive, "refine": options.refine}
    return {name: value for name, value in chosen.items() if value}
