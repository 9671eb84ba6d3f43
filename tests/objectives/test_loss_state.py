"""The state dict of a loss: tensors alone, and the step count among them."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save
from support import TARGETS, data, pair

from pyro_mmvae import Batch, Schedule, objectives


@pytest.fixture
def make():
    def build():
        model, guide = pair("poe")
        return objectives.load("mixing")(guide.inputs, TARGETS, beta=Schedule(0.0, 1.0, steps=4))(model, guide)

    return build


def test_a_state_of_tensors_alone_keeps_the_count(make, tmp_path):
    loss, other = make(), make()
    for _ in range(3):
        loss(Batch.of(data()))
    state = loss.state_dict()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    other.load_state_dict(load(save(state)))  # a format that knows nothing but tensors
    assert other.elbo.step == 3
    torch.save(state, tmp_path / "loss.pt")
    again = make()
    again.load_state_dict(torch.load(tmp_path / "loss.pt", weights_only=True))
    assert again.elbo.step == 3
    torch.manual_seed(1)
    expected = loss(Batch.of(data()))
    torch.manual_seed(1)
    torch.testing.assert_close(again(Batch.of(data())), expected, rtol=0, atol=0)


def test_checkpoints_of_before_load(make):
    loss = make()
    loss.load_state_dict({**loss.state_dict(), "_extra_state": {"step": 7}})
    assert loss.elbo.step == 7
