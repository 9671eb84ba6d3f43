"""Whose networks a joint guide's subsets look through."""

from __future__ import annotations

import pytest
import torch
from support import LATENT, data, modalities
from torch import nn

from pyro_mmvae import Batch, guides
from pyro_mmvae.modality import Modality
from pyro_mmvae.networks import MLPEncoder


def sizes(module):
    return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, nn.Linear)]


def test_separate_networks_are_those_of_korthals_et_al():
    """Table 1: uni-modal encoders 784-128-64-2; a joint one 2 x 784-128-64, concatenated, 64-2."""
    parts = [Modality(n, encoder=MLPEncoder((784,), (128, 64))) for n in ("a", "b")]
    guide = guides.load("joint")(parts, 2, networks="separate", hidden=64)
    own = [(128, 784), (64, 128)]
    assert sizes(guide.encoders["a"]) == 2 * own
    assert [sizes(network) for network in guide.networks] == [[(4, 64)], [(4, 64)], [(64, 128), (4, 64)]]


@pytest.mark.parametrize("networks", ["separate", "per_subset"])
def test_subsets_share_encoders_unless_they_are_separate(networks):
    parts = modalities()
    guide = guides.load("joint")(parts, LATENT, networks=networks)
    batch = Batch.of(data())
    guide.posterior(batch.given(["a"])).mean.sum().backward()
    moved = {name for name, p in guide.encoders.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert all(name.startswith("a.") for name in moved)
    assert len({name.rpartition(".")[0] for name in moved}) == 1
    before = guide.posterior(batch.given(["a", "b"])).mean
    with torch.no_grad():
        for name, parameter in guide.encoders.named_parameters():
            if name in moved:
                parameter.add_(0.1)
    assert torch.equal(guide.posterior(batch.given(["a", "b"])).mean, before) == (networks == "separate")


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match=r"'separate'.*got 'own'"):
        guides.load("joint")(modalities(), LATENT, networks="own")
