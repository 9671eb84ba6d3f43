"""Colour, depth, mask and keypoints of the pictures agree with each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pyro_mmvae.hands.rhd_format import LEFT_HAND, PERSON, RIGHT_HAND, decode_depth, encode_depth
from pyro_mmvae.hands.synthetic.collision import segment_distance
from pyro_mmvae.hands.synthetic.flesh import joint_radii
from pyro_mmvae.hands.synthetic.scene import Sample, sample_scene
from pyro_mmvae.hands.synthetic.skeleton import BONE_LENGTHS, CHAINS, bone_lengths

NUM = 24
SIDES = ((slice(0, 21), LEFT_HAND), (slice(21, 42), RIGHT_HAND))


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample_scene(np.random.default_rng([1, seed])) for seed in range(NUM)]


def hands(samples: list[Sample]) -> Iterator[tuple[Sample, slice, range, np.ndarray]]:
    """Every hand with its visible joints."""
    for sample in samples:
        for rows, ids in SIDES:
            yield sample, rows, ids, sample.uv_vis[rows, 2] == 1


def pixels(sample: Sample, rows: slice, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.rint(sample.uv_vis[rows][visible, :2]).astype(int).T
    return v, u


def test_shapes_and_types(samples):
    for sample in samples:
        assert sample.color.shape == (320, 320, 3)
        assert sample.color.dtype == sample.mask.dtype == np.uint8
        assert sample.depth.shape == sample.mask.shape == (320, 320)
        annotation = sample.annotation()
        assert {key: value.shape for key, value in annotation.items()} == {
            "xyz": (42, 3),
            "uv_vis": (42, 3),
            "K": (3, 3),
        }


def test_keypoints_are_the_projected_joints(samples):
    for sample in samples:
        projected = sample.xyz @ sample.camera.T
        np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], sample.uv_vis[:, :2], atol=1e-9)
        assert (sample.xyz[:, 2] > 0.15).all()
        assert set(np.unique(sample.uv_vis[:, 2])) <= {0.0, 1.0}


def test_mask_under_visible_joints_is_their_hand(samples):
    total = 0
    for sample, rows, ids, visible in hands(samples):
        part = sample.mask[pixels(sample, rows, visible)]
        assert ((part >= ids.start) & (part < ids.stop)).all()
        total += visible.sum()
    assert total > 15 * NUM


def test_depth_at_visible_joints_is_their_skin(samples):
    """Decoded as a reader would: the skin is in front of the joint, by no more than the flesh is thick."""
    behind = []
    for sample, rows, _, visible in hands(samples):
        depth = decode_depth(encode_depth(sample.depth))[pixels(sample, rows, visible)]
        in_front = sample.xyz[rows][visible, 2] - depth
        assert (in_front <= 2 * joint_radii()[visible] + 1e-4).all()
        assert (in_front >= -joint_radii()[visible]).all()  # at a silhouette the pixel's centre may miss the joint
        behind.append(in_front < -0.001)
    assert np.concatenate(behind).mean() < 0.02


def test_hidden_joints_are_out_of_the_picture_or_behind_something(samples):
    for sample, rows, ids, visible in hands(samples):
        u, v = np.rint(sample.uv_vis[rows][~visible, :2]).astype(int).T
        inside = (u >= 0) & (u < 320) & (v >= 0) & (v < 320)
        depth, part = sample.depth[v[inside], u[inside]], sample.mask[v[inside], u[inside]]
        own = (part >= ids.start) & (part < ids.stop)
        deep = sample.xyz[rows][~visible, 2][inside] - depth > 2 * joint_radii()[~visible][inside]
        assert (deep | ~own).all()


def test_hand_pixels_back_projected_lie_on_the_hand(samples):
    for sample, rows, ids, _ in hands(samples):
        v, u = np.nonzero((sample.mask >= ids.start) & (sample.mask < ids.stop))
        if not len(u):
            continue
        z = decode_depth(encode_depth(sample.depth))[v, u].astype(float)
        cloud = np.stack([u * z, v * z, z], axis=1) @ np.linalg.inv(sample.camera).T
        joints = sample.xyz[rows]
        heads, tails = joints[CHAINS[:, :-1]].reshape(-1, 3), joints[CHAINS[:, 1:]].reshape(-1, 3)
        n, m = len(cloud), len(heads)
        points = np.repeat(cloud, m, axis=0)
        distance = segment_distance(points, points, np.tile(heads, (n, 1)), np.tile(tails, (n, 1))).reshape(n, m)
        nearest = distance.min(1)
        assert nearest.max() < 0.036
        assert 0.004 < np.median(nearest) < 0.024


def test_parts_are_seen_where_their_joints_are(samples):
    """A visible fingertip shows the last or the middle part of its own finger, or the palm it is pressed into."""
    agree = []
    for sample, rows, ids, visible in hands(samples):
        tips = np.array([1, 5, 9, 13, 17])
        shown = tips[visible[tips]]
        u, v = np.rint(sample.uv_vis[rows][shown, :2]).astype(int).T
        agree.append(sample.mask[v, u] == ids.start + 3 * ((shown - 1) // 4))
    assert np.concatenate(agree).mean() > 0.9


def test_first_hand_is_seen_and_an_absent_one_is_out_of_view(samples):
    both = 0
    for sample in samples:
        counts = [int(sample.uv_vis[rows, 2].sum()) for rows, _ in SIDES]
        assert max(counts) >= 6
        shown = [((sample.mask >= ids.start) & (sample.mask < ids.stop)).any() for _, ids in SIDES]
        both += all(shown)
        for present, count in zip(shown, counts, strict=True):
            if not present:
                assert count == 0
    assert 0.1 * NUM < both < 0.7 * NUM
    lefts = sum(sample.uv_vis[:21, 2].sum() > sample.uv_vis[21:, 2].sum() for sample in samples)
    assert 0.2 * NUM < lefts < 0.8 * NUM


def test_absent_hand_has_no_joint_in_the_image(samples):
    for sample, rows, ids, _ in hands(samples):
        if not ((sample.mask >= ids.start) & (sample.mask < ids.stop)).any():
            uv = sample.uv_vis[rows, :2]
            in_view = ((uv > -0.5) & (uv < 319.5)).all(1)
            # An absent hand is beside the image; one that another hides may be in it.
            assert not in_view.any() or (sample.mask[sample.mask > 0] >= PERSON).any()


def test_bones_have_human_lengths_and_hands_the_wanted_distance(samples):
    for sample, rows, _, visible in hands(samples):
        ratio = bone_lengths(sample.xyz[rows]) / BONE_LENGTHS
        assert ((ratio > 0.849) & (ratio < 1.151)).all()
        if visible.any():
            assert 0.35 <= sample.xyz[rows][12, 2] <= 0.9
        assert 250 <= sample.camera[0, 0] <= 310


def test_skin_is_no_flat_colour(samples):
    for sample in samples:
        hand = sample.color[sample.mask > PERSON].astype(float)
        assert hand.std(0).max() > 5


def test_a_picture_depends_on_its_seed_alone():
    first, again, other = (sample_scene(np.random.default_rng(seed), 96) for seed in (5, 5, 6))
    for name in ("color", "depth", "mask", "xyz", "uv_vis", "camera"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.color != other.color).any()


def test_another_size_shows_the_same_view():
    large, small = (sample_scene(np.random.default_rng(12), size) for size in (320, 160))
    np.testing.assert_allclose(small.camera[0, 0], large.camera[0, 0] / 2)
    np.testing.assert_allclose((small.mask > 0).mean(), (large.mask > 0).mean(), rtol=0.1)
