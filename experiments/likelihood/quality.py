"""How good a run's guide is: inference gaps of its test samples, and ranks on data that its model makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.environment import versions
from pyro_mmvae.estimators import InferenceGap, batch_seed, calibration, inference_gaps
from pyro_mmvae.estimators.tables import gaps_report
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.likelihood.annealed import annealing_of
from pyro_mmvae.experiments.likelihood.options import Options
from pyro_mmvae.experiments.likelihood.saving import keep
from pyro_mmvae.plots import plot_calibration, plot_gaps
from pyro_mmvae.table import Subset


def judge_gaps(model: MultimodalVAE, guide: Guide, batches: Iterable[Batch], options: Options) -> dict[str, Any]:
    """Split the inference gap for every test sample, print the table, and save it with a figure.

    Args:
        model: on the device to use.
        guide: what is judged.
        batches: the samples.
        options: checked.

    Returns:
        What is in the JSON file.
    """
    parts: dict[Subset, list[InferenceGap]] = {}
    for number, batch in enumerate(batches):
        found = inference_gaps(
            model,
            guide,
            batch.to(model.device),
            given=[options.given] if options.given else None,
            annealing=annealing_of(options),
            start=options.anneal or "laplace",
            seed=batch_seed(options.seed, number),
            progress=True,
        )
        for subset, gap in found.items():
            parts.setdefault(subset, []).append(gap)
    gaps = {subset: InferenceGap.cat(found) for subset, found in parts.items()}
    content = _content(options, {"gaps": {"+".join(subset): gap.summary() for subset, gap in gaps.items()}})
    name = "-".join(["gaps", *(["+".join(options.given)] if options.given else []), f"s{options.seed}"])
    path = keep(
        content, gaps_report(gaps), options, name + (f"-n{options.test_samples}" if options.test_samples else "")
    )
    plot_gaps({type(guide).__name__: gaps}, path.with_suffix(".png"))
    return content


def judge_ranks(model: MultimodalVAE, guide: Guide, options: Options) -> dict[str, Any]:
    """Rank latent vectors of simulated data among the guide's draws, print a line, and save it with a figure.

    Args:
        model: on the device to use.
        guide: what is judged.
        options: checked.

    Returns:
        What is in the JSON file.
    """
    found = calibration(model, guide, options.calibration, given=options.given or None, seed=options.seed)
    content = _content(options, {"given": list(found.given), "calibration": found.summary()})
    name = f"calibration-{'+'.join(found.given)}-n{options.calibration}-s{options.seed}"
    plot_calibration(found, keep(content, str(found), options, name).with_suffix(".png"))
    return content


def _content(options: Options, found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "options": configuration.plain(options), "versions": versions()}
