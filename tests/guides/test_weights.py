"""Weights that guides give their inputs."""

from __future__ import annotations

import pytest
import torch
from support import LATENT, data, every_subset, pair, with_pattern

from pyro_mmvae import Batch, guides


@pytest.mark.parametrize("name", guides.available())
def test_weights_are_shared_among_what_is_observed(name):
    _, guide = pair(name)
    batch = with_pattern(Batch.of(data()))
    for subset in every_subset(guide.inputs):
        given = batch.given(subset)
        weights, observed = guide.weights(given), guide.observed(given)
        if weights is None:
            assert name not in ("gpoe", "moe_moments", "attention")
            continue
        assert weights.shape == (6, len(guide.inputs), LATENT)
        assert (weights[~observed] == 0).all()
        torch.testing.assert_close(weights.sum(-2), observed.any(-1, keepdim=True).float().expand(6, LATENT))


def test_the_posterior_is_made_with_the_weights():
    """Of gPoE: the precision is the weighted sum of the experts' precisions (Joshi et al. 2022, eq. 9)."""
    _, guide = pair("gpoe")
    batch = Batch.of(data())
    precision = guide.experts(guide.features(batch)).scale.pow(-2)
    expected = (guide.weights(batch) * precision).sum(-2).reciprocal()
    torch.testing.assert_close(guide.posterior(batch).variance, expected)
