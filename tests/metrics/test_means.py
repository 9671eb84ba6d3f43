"""Means that are gathered batch by batch, and those of a guide's weights."""

from __future__ import annotations

import pytest
import torch
from support import data, pair

from pyro_mmvae import Batch
from pyro_mmvae.metrics import ExpertWeights, Means


def test_means_are_over_samples_not_over_batches():
    values, means = torch.randn(10), Means()
    for part in (values[:7], values[7:]):
        means.add({"a": (part.sum(), torch.tensor(len(part))), "never": (torch.zeros(()), torch.tensor(0))})
    assert means.mean() == {"a": pytest.approx(values.mean().item(), abs=1e-6)}


def test_weights_are_averaged_over_clean_and_over_corrupted_samples():
    _, guide = pair("gpoe")
    batch, scores = Batch.of(data()), ExpertWeights()
    spoilt = torch.tensor([True, False, False, True, False, False])
    for rows in (slice(0, 2), slice(2, 6)):
        scores.add(guide, batch[rows], {"b": spoilt[rows]})
    found = scores.mean()
    weights = {name: weight.mean(-1) for name, weight in guide.weights(batch).items()}
    for name in guide.inputs:
        clean = ~spoilt if name == "b" else torch.ones(6, dtype=torch.bool)
        assert found[name]["clean"] == pytest.approx(weights[name][clean].mean().item(), abs=1e-6)
        assert ("corrupted" in found[name]) == (name == "b")
    assert found["b"]["corrupted"] == pytest.approx(weights["b"][spoilt].mean().item(), abs=1e-6)


@pytest.mark.parametrize("name", ["poe", "crossmodal"])
def test_guides_without_weights_have_none(name):
    _, guide = pair(name)
    scores = ExpertWeights()
    scores.add(guide, Batch.of(data()), {})
    assert scores.mean() == {}
