"""Images with their labels: bounds, log-likelihoods, accuracy, coherence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from pyro_mmvae import Loss, Modality, likelihoods
from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.data.labelled_samples import IMAGE, LABEL
from pyro_mmvae.estimators.grid import Quantity, bounds, grid
from pyro_mmvae.estimators.tables import bounds_report, report
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, likelihood_columns
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.experiments.mnist.figures import draw_figures
from pyro_mmvae.experiments.mnist.labels import images_of_labels, label_accuracy
from pyro_mmvae.experiments.mnist.presets import PUBLISHED
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Likelihood
from pyro_mmvae.metrics.coherence import coherence
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.schedules import Weight

PIXELS = SIDE * SIDE
DRAWS_PER_LABEL = 100
PROPOSALS = ((IMAGE, LABEL), (IMAGE,))
"""What the posteriors look at from which log-likelihoods are estimated."""
QUANTITIES = {
    "joint": Quantity((IMAGE, LABEL)),
    "image": Quantity((IMAGE,)),
    "image_given_label": Quantity((IMAGE,), (LABEL,)),
}
BOUNDED = {name: QUANTITIES[name] for name in ("joint", "image")}


class Experiment(experiment.Experiment[Config]):
    """Images of digits or clothes, and what they show as a one-hot label."""

    sheets = ("latent.png", "label_to_image.png")

    def modalities(self) -> list[Modality]:
        """Return image and label, each with an encoder and a decoder."""
        config = self.config
        return [
            self._modality(IMAGE, PIXELS, self._image_likelihood(), config.widths),
            self._modality(LABEL, CLASSES, Categorical(CLASSES), config.label_widths),
        ]

    def _modality(self, name: str, size: int, likelihood: Likelihood, widths: tuple[int, ...]) -> Modality:
        decoder = MLPDecoder(self.config.latent_dim, likelihood.param_shape, widths[::-1])
        return Modality(name, likelihood, decoder, MLPEncoder((size,), widths))

    def _image_likelihood(self) -> Likelihood:
        """Return a probability of binary pixels or a density of grey ones; never a "probability" of grey ones."""
        if self.config.binarisation != "none":
            return Bernoulli((PIXELS,))
        return likelihoods.load(self.config.density)((PIXELS,), self.config.density_scale)

    def targets(self) -> dict[str, Weight]:
        """Return the weights of image and label."""
        return {IMAGE: self.config.lambda_image, LABEL: self.config.lambda_label}

    def data(self) -> MnistData:
        """Read and split the set."""
        return MnistData(self.config)

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate bounds and log-likelihoods from every proposal, predict labels, make images of them."""
        assert isinstance(data, MnistData)
        config, model, guide = self.config, loss.model, loss.guide
        batch = data.judged_batch(config.test_samples)
        found = grid(
            model,
            guide,
            data.judged(config.test_samples),
            dict.fromkeys(PROPOSALS, QUANTITIES),
            num_samples=config.num_samples,
            seed=config.seed,
            refine=config.refine,
        )
        seen = IMAGE in guide.inputs, LABEL in guide.inputs
        made = images_of_labels(model, guide, DRAWS_PER_LABEL, config.seed) if seen[1] else None
        metrics = {
            "elbo": bounds(model, guide, batch, dict.fromkeys(PROPOSALS, BOUNDED), seed=config.seed),
            "log_likelihood": found,
            "label_accuracy": label_accuracy(model, guide, batch) if seen[0] else None,
            **_coherence(made, data),
            "samples": data.counts(),
            "pixels": config.pixels,
        }
        return Evaluation(metrics, self._report(metrics), partial(draw_figures, config, loss, data, made))

    def _report(self, metrics: Mapping[str, Any]) -> str:
        table = report(metrics["log_likelihood"], QUANTITIES, self.config.refine)
        lines = [f"pixels: {metrics['pixels']}", table, "", bounds_report(metrics["elbo"], QUANTITIES)]
        if metrics["label_accuracy"] is not None:
            lines.append(f"label accuracy from the image: {metrics['label_accuracy']:.2%}")
        if metrics["coherence"] is not None:
            own = f"classifier's own: {metrics['coherence_classifier_accuracy']:.2%}"
            lines.append(f"coherence, label to image: {metrics['coherence']:.2%} ({own})")
        return "\n".join(lines)

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return log-likelihoods of both proposals, shares of high k-hats, accuracy and coherence."""
        found = likelihood_columns(metrics["log_likelihood"], QUANTITIES, _published(metrics["config"]))
        return found | {n.replace("_", " "): Column.of(metrics[n]) for n in ("label_accuracy", "coherence")}


def _coherence(made: Tensor | None, data: MnistData) -> dict[str, float | None]:
    found = coherence(made, *data.real) if made is not None else (None, None)
    return dict(zip(("coherence", "coherence_classifier_accuracy"), found, strict=True))


def _published(config: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
    """Return published log-likelihoods, which are of binary pixels, by proposal and quantity."""
    names = [("+".join(given), name) for given in PROPOSALS for name in QUANTITIES]
    row = PUBLISHED.get((config["dataset"], config["guide"], config["objective"]))
    return dict(zip(names, row, strict=True)) if row and config["binarisation"] != "none" else {}
