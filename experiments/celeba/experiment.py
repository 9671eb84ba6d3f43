"""Faces with their attributes: bounds, log-likelihoods, attributes from the picture, pictures from attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from pyro_mmvae import Batch, Loss, Modality
from pyro_mmvae.distributions.hierarchical import draws
from pyro_mmvae.estimators import seeded
from pyro_mmvae.estimators.grid import Quantity, grid
from pyro_mmvae.estimators.tables import report
from pyro_mmvae.experiments.celeba.config import Config
from pyro_mmvae.experiments.celeba.data import FaceData
from pyro_mmvae.experiments.celeba.figures import draw_figures
from pyro_mmvae.experiments.celeba.networks import picture
from pyro_mmvae.experiments.celeba.presets import PUBLISHED
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, likelihood_columns
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.faces.attributes import DISTINCTIVE, in_words
from pyro_mmvae.faces.dataset import ATTRIBUTES, IMAGE, Faces
from pyro_mmvae.likelihoods import Multilabel
from pyro_mmvae.metrics.multilabel import LabelScores, best_constants, label_scores
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.schedules import Weight
from pyro_mmvae.table import singles_and_all

PROPOSALS = ((IMAGE, ATTRIBUTES), (IMAGE,))
"""What the posteriors look at from which log-likelihoods are estimated."""
QUANTITIES = {
    "joint": Quantity((IMAGE, ATTRIBUTES)),
    "image": Quantity((IMAGE,)),
    "image_given_attributes": Quantity((IMAGE,), (ATTRIBUTES,)),
}
DRAWS = 20
"""Latent draws over which the probabilities of attributes are averaged."""


class Experiment(experiment.Experiment[Config]):
    """Pictures of faces, and which of 18 attributes they have."""

    sheets: ClassVar[tuple[str, ...]] = ("attributes_to_image.png", "reconstructions.png")

    def modalities(self) -> list[Modality]:
        """Return picture and attributes, each with an encoder and a decoder."""
        config, count = self.config, len(DISTINCTIVE)
        widths = config.attribute_widths
        decoder = MLPDecoder(config.latent_dim, (count,), widths[::-1])
        attributes = Modality(ATTRIBUTES, Multilabel(count), decoder, MLPEncoder((count,), widths))
        return [picture(IMAGE, 3, config), attributes]

    def targets(self) -> dict[str, Weight]:
        """Return the weights of picture and attributes."""
        return {IMAGE: self.config.lambda_image, ATTRIBUTES: self.config.lambda_attributes}

    def data(self) -> FaceData:
        """Open the set."""
        return FaceData(self.config, partial(Faces, binary=self.config.density == "bernoulli"))

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate log-likelihoods from every proposal, and predict attributes."""
        assert isinstance(data, FaceData)
        assert isinstance(data.train, Faces)
        config = self.config
        batches = list(data.judged(config.test_samples))
        options: dict[str, Any] = {"num_samples": config.num_samples, "seed": config.seed, "refine": config.refine}
        found = None
        if loss.model.normalised([IMAGE]):
            found = grid(loss.model, loss.guide, batches, dict.fromkeys(PROPOSALS, QUANTITIES), **options)
        scores, true = attribute_scores(loss, data.judged(), config.seed)
        metrics = {
            "log_likelihood": found,
            "attributes": {n: {**s.means(), "by_attribute": s.by_label(DISTINCTIVE)} for n, s in scores.items()},
            "baseline": {"frequencies": best_constants(data.train.targets, true)},
            "samples": data.counts(),
            "left_out": data.left_out(),
            "pixels": config.pixels,
        }
        return Evaluation(metrics, _report(metrics, config.refine), partial(draw_figures, loss, data, config.seed))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return log-likelihoods of both proposals, shares of high k-hats, and how well attributes are found."""
        found = {}
        if metrics["log_likelihood"] is not None:
            found = likelihood_columns(metrics["log_likelihood"], QUANTITIES, _published(metrics["config"]))
        for given, scores in metrics["attributes"].items():
            if given != ATTRIBUTES:
                found |= {f"{n.replace('_', ' ')} from {given}": Column.of(scores[n]) for n in ("f1", "log_score")}
                found[f"average precision from {given}"] = Column.of(scores["average_precision"])
        return found


@torch.no_grad()
def attribute_scores(loss: Loss, batches: Iterable[Batch], seed: int) -> tuple[dict[str, LabelScores], Tensor]:
    """Return how well attributes are predicted from every input and from both, by `a+b`, and the true ones.

    A probability is the mean over draws from the posterior.
    """
    model, guide = loss.model, loss.guide
    found: dict[str, list[Tensor]] = {"+".join(subset): [] for subset in singles_and_all(guide.inputs)}
    true = []
    with seeded(seed, model.device):
        for batch in batches:
            seen = batch.to(model.device)
            true.append(batch.data[ATTRIBUTES])
            for name, parts in found.items():
                latent, _ = draws(guide.posterior(seen.given(name.split("+"))), (DRAWS,))
                parts.append(model.predict(latent, ATTRIBUTES).mean(0).cpu())
    whole = torch.cat(true)
    return {name: label_scores(torch.cat(parts), whole) for name, parts in found.items()}, whole


def _report(metrics: Mapping[str, Any], refine: int) -> str:
    lines = [f"pixels: {metrics['pixels']}"]
    if metrics["log_likelihood"] is not None:
        lines += [report(metrics["log_likelihood"], QUANTITIES, refine), ""]
    lines.append(f"{'attributes':<24}{'F1':>8}{'precision':>11}{'accuracy':>10}{'log score':>11}")
    rows = {"their frequencies": metrics["baseline"]["frequencies"]}
    rows |= {f"from {given}": scores for given, scores in metrics["attributes"].items()}
    for name, s in rows.items():
        numbers = f"{s['f1']:>8.1%}{s['average_precision']:>11.1%}{s['accuracy']:>10.1%}{s['log_score']:>11.2f}"
        lines.append(f"{name:<24}{numbers}")
    by = next(iter(metrics["attributes"].values()))["by_attribute"]
    lines.append("F1 by attribute: " + ", ".join(f"{in_words(n)} {v['f1']:.2f}" for n, v in by.items()))
    return "\n".join(lines)


def _published(config: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
    """Return published log-likelihoods, which are of real faces and of the size of binary pixels."""
    names = [("+".join(given), name) for given in PROPOSALS for name in QUANTITIES]
    row = PUBLISHED.get((config["guide"], config["objective"]))
    fits = row is not None and config["data"] is not None and config["density"] == "bernoulli"
    return dict(zip(names, row, strict=True)) if row is not None and fits else {}
