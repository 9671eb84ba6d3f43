"""Coherence of what was made from classes."""

from __future__ import annotations

import pytest
import torch
from sklearn.neural_network import MLPClassifier

from pyro_mmvae.metrics import coherence as module
from pyro_mmvae.metrics.coherence import coherence


def stripes(labels):
    """Grey 10 x 10 images whose bright row is the class."""
    images = torch.randint(0, 60, (len(labels), 10, 10), generator=torch.Generator().manual_seed(len(labels)))
    images[torch.arange(len(labels)), labels] += 190
    return images.to(torch.uint8), labels


def test_the_share_is_that_of_images_that_show_their_class():
    train, test = stripes(torch.arange(400) % 10), stripes(torch.arange(60) % 10)
    made = torch.stack([stripes(torch.full((8,), label))[0] for label in range(10)]).float() / 255
    assert coherence(made, train, test) == (1.0, 1.0)
    shifted = made.roll(1, dims=0)
    shifted[:3] = made[:3]
    assert coherence(shifted, train, test).share == pytest.approx(0.3)


def test_the_classifier_learns_from_some_of_many(monkeypatch):
    seen = []
    fit = MLPClassifier.fit
    monkeypatch.setattr(module, "CLASSIFIER_SAMPLES", 50)
    monkeypatch.setattr(MLPClassifier, "fit", lambda self, x, y: seen.append(x) or fit(self, x, y))
    train = stripes(torch.arange(400) % 10)
    coherence(torch.rand(10, 2, 10, 10), train, train)
    assert seen[0].shape == (50, 100)
    assert 0 <= seen[0].min() <= seen[0].max() <= 1
