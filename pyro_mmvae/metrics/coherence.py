"""Whether what was made from classes shows them, in the eyes of a classifier trained on real data."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor

CLASSIFIER_SAMPLES = 20_000
"""Training samples of the classifier at most, so that it takes seconds."""


class Coherence(NamedTuple):
    """Whether what was made from classes shows them."""

    share: float
    """Share of it that the classifier takes for the class it was made from."""
    classifier_accuracy: float
    """The classifier's own accuracy on real samples, without which the share says little."""


def coherence(made: Tensor, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], seed: int = 0) -> Coherence:
    """Classify what was made by a network of 256 hidden units that is trained on real samples with their classes.

    Args:
        made: shape `(classes, draws, *event)`, in [0, 1]; the first index is the class.
        train: samples `(N, *event)` in [0, 1], or uint8 of which 255 is one, and their classes, int64 `(N,)`.
        test: the same, on which the classifier is judged.
        seed: of the classifier.
    """
    samples, classes = train
    chosen = torch.as_tensor(np.random.default_rng(seed).permutation(len(classes))[:CLASSIFIER_SAMPLES])
    classifier = MLPClassifier(
        (256,), batch_size=min(128, len(chosen)), learning_rate_init=2e-3, max_iter=12, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops after so many epochs on purpose
        classifier.fit(_flat(samples[chosen]), classes[chosen].numpy())
    found = classifier.predict(_flat(made.flatten(0, 1)))
    wanted = np.repeat(np.arange(len(made)), made.shape[1])
    own = classifier.score(_flat(test[0]), test[1].numpy())
    return Coherence(float((found == wanted).mean()), float(own))


def _flat(samples: Tensor) -> NDArray[np.float32]:
    values = samples.flatten(1).float()
    flat: NDArray[np.float32] = (values.div(255) if samples.dtype == torch.uint8 else values.clamp(0, 1)).cpu().numpy()
    return flat
