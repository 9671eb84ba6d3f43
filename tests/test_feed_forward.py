"""A feed-forward network in the place of a guide is the network that one would write by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.feed_forward import FeedForward
from pyro_mmvae.likelihoods import Multilabel
from pyro_mmvae.objectives.crossmodal import crossmodal


def system():
    torch.manual_seed(0)
    parts = [
        Modality("image", encoder=nn.Linear(6, 5)),
        Modality("labels", Multilabel(4), nn.Linear(3, 4), nn.Linear(4, 2)),
    ]
    return MultimodalVAE(parts, 3), FeedForward(parts, 3)


def batch():
    return Batch.of({"image": torch.randn(7, 6), "labels": (torch.rand(7, 4) < 0.5).float()})


def test_loss_and_gradients_are_those_of_the_plain_network():
    (model, guide), seen = system(), batch()
    loss = crossmodal(guide.inputs, ["labels"], beta=0.0)(model, guide)(seen)
    plain = nn.Sequential(guide.encoders["image"], guide.layer, model.decoders["labels"])
    expected = binary_cross_entropy_with_logits(plain(seen.data["image"]), seen.data["labels"], reduction="none")
    expected = expected.sum(1).mean()
    torch.testing.assert_close(loss, expected)
    weights = [*guide.parameters(), *model.parameters()]
    assert len(weights) == 6  # nothing that does not move
    torch.testing.assert_close(torch.autograd.grad(loss, weights), torch.autograd.grad(expected, weights))


def test_there_is_no_noise_and_what_is_missing_is_zero():
    guide = system()[1]
    seen = batch()
    assert torch.equal(guide(seen), guide.point(seen))
    hidden = Batch(seen.data, {**seen.observed, "image": torch.arange(7) > 2})
    assert (guide.point(hidden)[:3] == 0).all()
    torch.testing.assert_close(guide.point(hidden)[3:], guide.point(seen)[3:])
    assert (guide.point(seen.given(["labels"])) == 0).all()


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="source 'sound' has no encoder"):
        FeedForward([Modality("image", encoder=nn.Linear(6, 5))], 3, source="sound")
