"""What has to do with the label: predicting it from the image, and whether images made from it show it."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.data.labelled_images import CLASSES, LabelledImages
from pyro_mmvae.experiments.mnist.build import IMAGE, LABEL

CLASSIFIER_SAMPLES = 20_000
"""Training images of the classifier at most, so that it takes seconds."""


@torch.no_grad()
def label_accuracy(model: MultimodalVAE, guide: Guide, batch: Batch) -> float:
    """Return the share of labels that are the likeliest given the image alone, at its posterior's point."""
    device = next(model.parameters()).device
    point = guide.point(batch.given([IMAGE]).to(device))
    found = model.predict(point, LABEL).argmax(-1).cpu()
    return float((found == batch.data[LABEL].argmax(-1)).float().mean())


@torch.no_grad()
def images_of_labels(model: MultimodalVAE, guide: Guide, draws: int, seed: int = 0) -> Tensor:
    """Return expected images for latent draws from each label's posterior, shape `(classes, draws, pixels)`."""
    device = next(model.parameters()).device
    batch = Batch.of({LABEL: one_hot(torch.arange(CLASSES), CLASSES).float()}).to(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        z = guide.posterior(batch).sample((draws,))
    return model.predict(z, IMAGE).transpose(0, 1).cpu()


class Coherence(NamedTuple):
    """Whether images made from labels show them."""

    share: float
    """Share of the images that the classifier takes for the class they were made from."""
    classifier_accuracy: float
    """The classifier's own accuracy on real test images, without which the share says little."""


def coherence(made: Tensor, train: LabelledImages, test: LabelledImages, seed: int = 0) -> Coherence:
    """Classify images `(classes, draws, pixels)` by a network trained on real grey images with their labels.

    The images are expected ones, E[x | z], which look like grey images whatever the binarisation.
    """
    chosen = np.random.default_rng(seed).permutation(len(train.labels))[:CLASSIFIER_SAMPLES]
    classifier = MLPClassifier(
        (256,), batch_size=min(128, len(chosen)), learning_rate_init=2e-3, max_iter=12, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops after so many epochs on purpose
        classifier.fit(_grey(train.images[chosen]), train.labels[chosen].numpy())
    found = classifier.predict(made.flatten(0, 1).clamp(0, 1).numpy())
    wanted = np.repeat(np.arange(len(made)), made.shape[1])
    own = classifier.score(_grey(test.images), test.labels.numpy())
    return Coherence(float((found == wanted).mean()), float(own))


def _grey(images: Tensor) -> np.ndarray:
    return images.flatten(1).float().div(255).numpy()
