"""The six pictures: each is what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from faces_factory import celeba
from PIL import Image

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.index import read_index
from pyro_mmvae.faces.pictures import Square
from pyro_mmvae.faces.pixels import Pixels
from pyro_mmvae.faces.transformed import BINARY, CHANNELS, TransformedFaces
from pyro_mmvae.faces.transforms import (
    OPACITY,
    edges_of,
    grey_of,
    half_masked,
    landmark_picture,
    watermark,
    watermarked,
)

COLOUR = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_grey_is_pillows():
    values = (COLOUR * 255).round().to(torch.uint8)
    found = grey_of(values.float() / 255)[:, 0] * 255
    for one, grey in zip(values, found, strict=True):
        expected = np.asarray(Image.fromarray(one.permute(1, 2, 0).numpy()).convert("L"), float)
        np.testing.assert_allclose(grey, expected, atol=1)


def test_edges_are_where_brightness_jumps():
    picture = np.zeros((32, 32), np.float32)
    picture[:, 16:] = 1
    found = edges_of(picture)
    assert found[5:-5, 15:17].any(axis=1).all()
    assert not found[:, :13].any()
    assert not found[:, 19:].any()
    assert not edges_of(np.full((32, 32), 0.5, np.float32)).any()


def test_landmarks_are_discs_at_their_points():
    points = np.array([[[10, 10], [30, 12], [20, 22], [12, 32], [28, 30]]], float)
    found = landmark_picture(points, 48)[0, 0]
    y, x = np.nonzero(found)
    nearest = np.hypot(x[:, None] - points[0, :, 0], y[:, None] - points[0, :, 1])
    assert nearest.min(axis=1).max() <= 2
    assert (nearest <= 2).sum(axis=0).min() >= 9
    assert not landmark_picture(points + 1000, 48).any()


def test_half_of_a_picture_is_black_and_the_other_as_it_was():
    found = half_masked(COLOUR)
    assert not found[..., 8:].any()
    assert torch.equal(found[..., :8], COLOUR[..., :8])
    assert COLOUR[..., 8:].any()


@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_watermark_brightens_and_hides_some_but_not_all(side):
    cover = watermark(side)
    assert cover.min() == 0
    assert cover.max() == pytest.approx(OPACITY)
    assert 0.1 < (cover > 0).mean() < 0.6
    black = watermarked(torch.zeros(1, 3, side, side))
    np.testing.assert_allclose(black[0, 0], cover)
    assert torch.equal(watermarked(torch.ones(1, 3, side, side)), torch.ones(1, 3, side, side))


def test_the_set_has_all_six_whether_edges_are_kept_or_not(tmp_path):
    root = celeba(tmp_path / "set", size=(60, 70))
    pixels = Pixels(Pictures(root), read_index(root, Pictures(root), landmarks=True), range(7), Square(24))
    kept = TransformedFaces(pixels, keep=True)
    draws = Draws(torch.tensor([3, 1, 3]))
    first, again, fresh = kept.batch(draws), kept.batch(draws), TransformedFaces(pixels).batch(draws)
    for name, channels in CHANNELS.items():
        value = first.batch.data[name]
        assert value.shape == (3, channels, 24, 24)
        assert torch.equal(value, again.batch.data[name])
        assert torch.equal(value, fresh.batch.data[name])
        assert 0 <= value.min() <= value.max() <= 1
        if name in BINARY:
            assert set(value.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(first.batch.data["grey"], grey_of(first.batch.data["colour"]))
