"""Binary images drawn from grey ones."""

from __future__ import annotations

import torch

from pyro_mmvae.data.binarise import binarise
from pyro_mmvae.data.labelled_images import small_digits


def test_binary_pixels_have_the_grey_value_as_probability():
    levels = torch.tensor([0, 1, 64, 128, 200, 254, 255], dtype=torch.uint8)
    drawn = binarise(levels.expand(40_000, 7).contiguous(), 1, 2).double()
    expected = levels.double() / 255
    error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((drawn.mean(0) - expected).abs() <= 4 * error).all()
    assert drawn[:, 0].max() == 0
    assert drawn[:, -1].min() == 1


def test_draws_depend_on_their_key_alone():
    images = small_digits().images[:50]
    torch.manual_seed(1)
    first, state = binarise(images, 5), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # the global generator is left alone
    assert torch.equal(binarise(images, 5), first)
    assert not torch.equal(binarise(images, 6), first)
