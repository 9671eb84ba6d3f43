import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rhd_factory import SIZE, annotation, placed_hand
from scipy.ndimage import map_coordinates

from pyro_mmvae.data.affine import apply_affine, invert_affine
from pyro_mmvae.data.images import to_tensor, warp
from pyro_mmvae.data.samples import Draw
from pyro_mmvae.hands.augmentation import (
    Augmentation,
    AugmentationRanges,
    color_jitter,
    draw_augmentation,
    recolor,
)
from pyro_mmvae.hands.geometry import crop_affine
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.hands.rhd_format import write_annotations, write_sample

THEODORIDIS = AugmentationRanges(zoom=(1, 1), shift=0, rotation=45, flip=0.5, color=False)
"""Theodoridis et al. (2020), section 4.2.2."""


def draws_of(ranges=None, seed=0, number=2000):
    rng = np.random.default_rng(seed)
    return [draw_augmentation(rng, ranges) for _ in range(number)]


def test_draws_fill_their_ranges():
    draws = draws_of()
    assert_fills([draw.zoom for draw in draws], 1, 1.2)
    assert_fills([draw.angle for draw in draws], -np.pi, np.pi)
    assert_fills([shift for draw in draws for shift in draw.shift], -20 / 256, 20 / 256)
    assert not any(draw.flipped for draw in draws)
    assert all(draw.color.shape == (3, 4) for draw in draws)


def assert_fills(values, low, high):
    assert low <= min(values) < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < max(values) <= high
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.05 * (high - low))


def test_other_ranges_are_filled_too():
    draws = draws_of(THEODORIDIS)
    assert_fills([draw.angle for draw in draws], -np.pi / 4, np.pi / 4)
    assert np.mean([draw.flipped for draw in draws]) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2000))
    assert {(draw.zoom, draw.shift, draw.color) for draw in draws} == {(1.0, (0.0, 0.0), None)}
    zooms = [draw.zoom for draw in draws_of(AugmentationRanges(zoom=(0.8, 1.1)))]
    assert_fills(zooms, 0.8, 1.1)


def test_switching_one_part_off_leaves_the_others_as_they_were():
    for full, part in zip(
        draws_of(number=5), draws_of(AugmentationRanges(shift=0, flip=1, color=False), number=5), strict=True
    ):
        assert (full.zoom, full.angle) == (part.zoom, part.angle)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("zoom", [(0, 1), (1.2, 1), (1, np.inf), (np.nan, 1), (1, np.nan)]),
        ("shift", [-0.1, 1.5, np.nan]),
        ("rotation", [-1, 181, np.nan, np.inf]),
        ("flip", [-0.1, 1.1, np.nan]),
    ],
)
def test_ranges_are_checked(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"{name}: expected"):
            AugmentationRanges(**{name: value})


SHARE = st.floats(0, 1)


@given(st.floats(0.5, 2), st.floats(0, 0.3), SHARE, st.floats(-np.pi, np.pi), st.booleans(), SHARE, SHARE)
def test_margin_covers_every_augmentation(largest, shift, zoomed, angle, flipped, across, down):
    ranges = AugmentationRanges(zoom=(0.5, largest), shift=shift)
    center, half, size = np.array([100.0, 120.0]), 30.0, 64
    zoom = 0.5 + zoomed * (largest - 0.5)
    moved = ((2 * across - 1) * shift * size, (2 * down - 1) * shift * size)
    crop = crop_affine(center, half, size, zoom=zoom, angle=angle, shift=moved, flipped=flipped)
    corners = np.array([[x, y] for x in (-0.5, size - 0.5) for y in (-0.5, size - 0.5)])
    assert np.abs(apply_affine(invert_affine(crop), corners) - center).max() <= ranges.margin * half + 1e-9


def test_augmented_crops_show_the_picture_to_their_corners(tmp_path):
    joints = placed_hand(np.random.default_rng(0), left=True, depth=1.2)
    write_sample(tmp_path, "training", 0, np.full((SIZE, SIZE, 3), 200, np.uint8))
    write_annotations(tmp_path, "training", {0: annotation(left=joints)})
    for size, ranges in itertools.product((16, 64, 256), (True, THEODORIDIS, AugmentationRanges(zoom=(0.7, 1.5)))):
        dataset = RHD(tmp_path, "training", image_size=size, augment=ranges, modalities=("rgb", "pose"))
        for epoch in range(20):
            picture = dataset[Draw(0, epoch)].data["rgb"]
            assert float(picture.flatten(1).std(1).max()) < 1e-3


def test_no_jitter_changes_nothing():
    np.testing.assert_allclose(color_jitter(1, 1, 1, 0), np.eye(3, 4), atol=1e-12)
    image = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    assert recolor(image, Augmentation().color) is image


@given(st.floats(0.6, 1.4), st.floats(0.6, 1.4), st.floats(-0.5, 0.5))
def test_saturation_and_hue_keep_greys(grey, saturation, hue):
    jitter = color_jitter(1, 1, saturation, hue)
    np.testing.assert_allclose(jitter @ [grey, grey, grey, 1], [grey] * 3, atol=1e-12)


def test_brightness_contrast_and_saturation():
    color = np.array([0.2, 0.4, 0.6, 1])
    np.testing.assert_allclose(color_jitter(1.3, 1, 1, 0) @ color, 1.3 * color[:3])
    np.testing.assert_allclose(color_jitter(1, 1.5, 1, 0) @ color, 0.5 + 1.5 * (color[:3] - 0.5))
    luminance = 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6
    np.testing.assert_allclose(color_jitter(1, 1, 0, 0) @ color, [luminance] * 3)


def test_hue_by_a_third_of_a_turn_exchanges_the_channels():
    turned = color_jitter(1, 1, 1, 2 * np.pi / 3) @ [0.2, 0.4, 0.6, 1]
    np.testing.assert_allclose(sorted(turned), [0.2, 0.4, 0.6], atol=1e-12)
    assert turned[1] == pytest.approx(0.2)


def test_recolor_clips():
    image = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    made = recolor(image, color_jitter(1.4, 1.4, 1.4, 0.3))
    assert made.dtype == np.float32
    assert (made.min(), made.max()) == (0, 1)


@settings(deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(0.7, 3), st.booleans())
def test_warp_is_bilinear_interpolation(angle, zoom, mirrored):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    affine = crop_affine(np.array([24.0, 19.0]), 10, 20, mirrored=mirrored, zoom=zoom, angle=angle)
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1)
    x, y = np.moveaxis(apply_affine(invert_affine(affine), grid), -1, 0)
    expected = np.stack([map_coordinates(image[..., c].astype(float), [y, x], order=1) for c in range(3)], -1)
    inside = (x > 0.01) & (x < 48.99) & (y > 0.01) & (y < 38.99)
    assert inside.mean() > 0.5
    assert np.abs(warp(image, affine, 20) - expected)[inside].max() <= 1.01


def test_to_tensor_moves_channels_first():
    image = np.random.default_rng(0).random((6, 7, 3)).astype(np.float32)
    torch.testing.assert_close(to_tensor(image), torch.from_numpy(image).permute(2, 0, 1))
