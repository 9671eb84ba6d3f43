"""The numbers of a trained run: bounds, log-likelihoods, accuracy, coherence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.estimators import Estimate, batch_seed, difference, log_likelihoods
from pyro_mmvae.experiments.common.elbo import elbos
from pyro_mmvae.experiments.common.log_likelihoods import posterior_given, table
from pyro_mmvae.experiments.mnist.build import IMAGE, LABEL
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.experiments.mnist.labels import coherence, images_of_labels, label_accuracy

DRAWS_PER_LABEL = 100
CHUNK = 500
"""Samples between two updates of the progress bar."""
TITLES = {"joint": "log p(image, label)", "image": "log p(image)", "image_given_label": "log p(image | label)"}
"""What is estimated from each posterior."""


class Evaluation(NamedTuple):
    """What a trained model did on the test samples."""

    metrics: dict[str, Any]
    """The part of `metrics.json` that the evaluation fills."""
    made: torch.Tensor | None
    """Images made from labels, shape (classes, draws, pixels); None if the guide cannot look at labels."""


def proposals(guide: Guide) -> dict[str, tuple[str, ...]]:
    """Return the subsets from whose posteriors log-likelihoods are estimated: both modalities, and the image."""
    return {"+".join(s): s for s in ((IMAGE, LABEL), (IMAGE,)) if set(s) <= set(guide.inputs)}


def evaluate(model: MultimodalVAE, guide: Guide, config: Config, data: MnistData) -> Evaluation:
    """Evaluate model and guide, in evaluation mode on the device of their parameters, on the test samples."""
    batch = data.test_batch(config.test_samples)
    metrics: dict[str, Any] = {
        "elbo": _elbos(model, guide, batch, config),
        "log_likelihood": columns_of_table(model, guide, batch, config),
        "label_accuracy": label_accuracy(model, guide, batch) if IMAGE in guide.inputs else None,
    }
    made = images_of_labels(model, guide, DRAWS_PER_LABEL, config.seed) if LABEL in guide.inputs else None
    if made is not None:
        found = coherence(made, data.splits.train, data.splits.test)
        metrics |= {"coherence": found.share, "coherence_classifier_accuracy": found.classifier_accuracy}
    else:
        metrics |= {"coherence": None, "coherence_classifier_accuracy": None}
    return Evaluation(metrics, made)


def _elbos(model: MultimodalVAE, guide: Guide, batch: Batch, config: Config) -> dict[str, dict[str, Any]]:
    wanted = {"joint": (IMAGE, LABEL), "image": (IMAGE,)}
    names = [(given, of) for given in proposals(guide) for of in wanted]
    pairs = [(proposals(guide)[given], wanted[of]) for given, of in names]
    found: dict[str, dict[str, Any]] = {given: {} for given in proposals(guide)}
    for (given, of), value in zip(names, elbos(model, guide, batch, pairs, seed=config.seed), strict=True):
        found[given][of] = value
    return found


def columns_of_table(
    model: MultimodalVAE, guide: Guide, batch: Batch, config: Config
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the six columns of SMVAE's table, by what the proposal was given and by quantity, in nats per sample.

    The evidence of the label is estimated with draws from the prior, as in the table's source. Joint and image share
    their draws, and so do the conditionals their evidence.
    """
    found: dict[str, dict[str, list[Estimate]]] = {name: {c: [] for c in TITLES} for name in proposals(guide)}
    device = next(model.parameters()).device
    for number, begin in enumerate(tqdm(range(0, batch.size, CHUNK), "log-likelihoods", unit="batch")):
        part, seed = batch[begin : begin + CHUNK].to(device), batch_seed(config.seed, number)
        estimated = partial(log_likelihoods, model, guide, part, num_samples=config.num_samples or 1)
        (evidence,) = estimated(of=[[LABEL]], given=[], seed=seed + 1)
        for name, given in proposals(guide).items():
            joint, image = estimated(of=[[IMAGE, LABEL], [IMAGE]], given=given, seed=seed, refine=config.refine)
            found[name]["joint"].append(joint)
            found[name]["image"].append(image)
            found[name]["image_given_label"].append(difference(joint, evidence, part, [IMAGE]))
    return {name: {c: Estimate.cat(parts).summary() for c, parts in columns.items()} for name, columns in found.items()}


def report(metrics: Mapping[str, Any], refine: int = 0) -> str:
    """Return the results as text for the terminal; `refine` is said with the proposals."""
    rows = [
        (TITLES[column], posterior_given(given.split("+")) + (f", refined {refine} steps" if refine else ""), found)
        for given, columns in metrics["log_likelihood"].items()
        for column, found in columns.items()
    ]
    lines = [table(rows), ""]
    for given, columns in metrics["elbo"].items():
        bounds = ", ".join(f"{v['mean']:.2f} ± {v['se']:.2f} of {TITLES[c]}" for c, v in columns.items())
        lines.append(f"ELBO from {posterior_given(given.split('+'))}: {bounds}")
    if metrics["label_accuracy"] is not None:
        lines.append(f"label accuracy from the image: {100 * metrics['label_accuracy']:.2f} %")
    if metrics["coherence"] is not None:
        own = 100 * metrics["coherence_classifier_accuracy"]
        lines.append(f"coherence, label to image: {100 * metrics['coherence']:.2f} % (classifier's own: {own:.2f} %)")
    return "\n".join(lines)
