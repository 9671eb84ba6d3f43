"""The kinematic hand: lengths, limits, collisions, and the skin on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyro_mmvae.hands.rhd_format import LEFT_HAND, PARENTS, PERSON, RIGHT_HAND
from pyro_mmvae.hands.synthetic.arm import Arm, arm_in_view
from pyro_mmvae.hands.synthetic.camera import sample_camera
from pyro_mmvae.hands.synthetic.collision import clearance, segment_distance
from pyro_mmvae.hands.synthetic.flesh import BONE_RADII
from pyro_mmvae.hands.synthetic.limb import pose_limb, sample_limb
from pyro_mmvae.hands.synthetic.poses import GESTURES, REST, sample_angles, sample_lengths, sample_skeleton
from pyro_mmvae.hands.synthetic.skeleton import (
    BONE_LENGTHS,
    CHAINS,
    LIMITS,
    PARENT,
    bone_lengths,
    pose_hand,
)
from pyro_mmvae.hands.synthetic.skinning import skin
from pyro_mmvae.hands.synthetic.template import hand_template
from pyro_mmvae.rendering.isosurface import surface
from pyro_mmvae.rendering.raster import rasterise

MIRROR = np.diag([-1.0, 1.0, 1.0])
STRAIGHT = pose_limb(np.zeros(2), 0.0, 0.0)


def random_angles(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(LIMITS[..., 0], LIMITS[..., 1])


def test_joints_have_the_order_of_the_files():
    np.testing.assert_array_equal(PARENT, PARENTS)
    joints = pose_hand(REST).joints
    tips, palms = joints[[1, 5, 9, 13, 17]], joints[[4, 8, 12, 16, 20]]
    assert (np.linalg.norm(tips, axis=1) > np.linalg.norm(palms, axis=1)).all()
    assert joints[1, 0] > joints[17, 0]  # a left hand's thumb is on +x


@given(st.integers(0, 10_000))
def test_kinematics_keeps_bone_lengths(seed):
    lengths = sample_lengths(np.random.default_rng(seed))
    np.testing.assert_allclose(bone_lengths(pose_hand(random_angles(seed), lengths).joints), lengths, rtol=1e-12)


def test_mean_bone_lengths_are_those_of_rhd():
    lengths = np.stack([sample_lengths(np.random.default_rng(seed)) for seed in range(400)])
    np.testing.assert_allclose(lengths.mean(0), BONE_LENGTHS, rtol=0.01)
    np.testing.assert_allclose((lengths / BONE_LENGTHS).std(), 0.05, rtol=0.05)


def test_a_straight_finger_is_straight_and_flexion_goes_to_the_palm():
    straight = pose_hand(np.zeros((5, 4))).joints
    bent = pose_hand(np.deg2rad([[0, 0, 0, 0], *[[90, 0, 0, 0]] * 4])).joints
    chain = straight[CHAINS[2, 1:]] - straight[12]
    assert np.linalg.matrix_rank(chain, tol=1e-9) == 1
    # Ninety degrees at the first joint: the middle finger points out of the palm, to -z.
    np.testing.assert_allclose(bent[9] - bent[12], [0, 0, -BONE_LENGTHS[2, 1:].sum()], atol=1e-12)


@pytest.mark.parametrize("gesture", GESTURES)
def test_gestures_keep_the_limits(gesture):
    for seed in range(20):
        angles = sample_angles(np.random.default_rng(seed), gesture)
        assert (angles >= LIMITS[..., 0]).all()
        assert (angles <= LIMITS[..., 1] + 1e-12).all()
        np.testing.assert_allclose(angles[1:, 3], angles[1:, 2] * 2 / 3)


@pytest.mark.parametrize("gesture", GESTURES)
def test_no_hand_penetrates_itself(gesture):
    for seed in range(20):
        assert clearance(sample_skeleton(np.random.default_rng(seed), gesture)) >= 0


def test_the_search_for_a_free_pose_ends():
    """The rest pose, which late attempts lean to, is free for bones of any length that can be drawn."""
    extremes = [0.85 + 0.3 * np.random.default_rng(seed).integers(0, 2, (5, 4)) for seed in range(200)]
    assert min(clearance(pose_hand(REST, BONE_LENGTHS * factor)) for factor in extremes) >= 0


def test_a_finger_through_another_is_a_penetration():
    angles = REST.copy()
    angles[1, 1], angles[2, 1] = np.deg2rad([-15, 20])  # index and middle finger crossed
    assert clearance(pose_hand(angles)) < 0


@given(arrays(float, (4, 3), elements=st.floats(-1, 1, width=32)))
def test_segment_distance_is_the_least(points):
    a, b, c, d = points
    t = np.linspace(0, 1, 60)[:, None]
    sampled = np.linalg.norm((a + t * (b - a))[:, None] - (c + t * (d - c))[None], axis=-1).min()
    distance = segment_distance(*(p[None] for p in (a, b, c, d)))[0]
    step = (np.linalg.norm(b - a) + np.linalg.norm(d - c)) / 59
    assert sampled - step <= distance <= sampled + 1e-9


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        pose_hand(np.zeros((4, 5)))


def test_surface_of_a_sphere_is_closed_round_and_turned_outwards():
    axis = np.arange(-1.3, 1.3, 0.2)
    vertices, faces = surface(lambda p: np.linalg.norm(p, axis=1) - 1, [axis] * 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1, atol=1e-4)
    check_closed(faces)
    np.testing.assert_allclose(volume(vertices, faces), 4 / 3 * np.pi, rtol=0.04)


def volume(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return (np.cross(a, b) * c).sum() / 6


def check_closed(faces):
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = ({tuple(edge) for edge in side} for side in (edges.tolist(), edges[:, ::-1].tolist()))
    assert there == back
    assert len(there) == len(edges)


def test_the_skin_is_one_closed_surface():
    template = hand_template()
    check_closed(template.faces)
    root = np.arange(len(template.vertices))
    for _ in range(200):  # spread the least number over the edges
        least = root[template.faces].min(1)
        for corner in range(3):
            np.minimum.at(root, template.faces[:, corner], least)
    assert (root == 0).all()
    edges = 3 * len(template.faces) // 2
    assert len(template.vertices) - edges + len(template.faces) == 2  # a sphere: no holes, no handles
    np.testing.assert_allclose(template.weights.sum(axis=1), 1)
    assert template.weights.min() >= 0


def test_skinning_the_rest_pose_gives_the_template():
    mesh = skin(pose_hand(REST), STRAIGHT)
    np.testing.assert_allclose(mesh.vertices, hand_template().vertices, atol=1e-12)


def test_every_part_is_there():
    assert set(np.unique(hand_template().parts)) == {PERSON, *LEFT_HAND}


@pytest.mark.parametrize("gesture", GESTURES)
def test_the_skin_stays_on_the_bones(gesture):
    """No spike, no gap: the skin of a finger is as far from its own bone as flesh is thick."""
    rng = np.random.default_rng(3)
    for _ in range(4):
        skeleton = sample_skeleton(rng, gesture)
        mesh = skin(skeleton, sample_limb(rng))
        for part in range(2, 17):
            finger, rank = (part - 2) // 3, 3 - (part - 2) % 3
            own = mesh.parts == part
            # Vertices that it shares with other parts are left: webs stretch when neighbours part.
            points = mesh.vertices[np.setdiff1d(mesh.faces[own], mesh.faces[~own])]
            head, tail = (np.broadcast_to(end[finger, rank], points.shape) for end in (skeleton.heads, skeleton.tails))
            distance = segment_distance(points, points, head, tail)
            radius = BONE_RADII[finger, rank].max()
            slack = 0.008 if rank == 1 else 0.002  # the first ones blend into the palm
            assert 0.2 * radius < distance.min()
            assert distance.max() < radius + slack


def test_right_hand_is_the_mirror_image():
    rng = np.random.default_rng(8)
    camera = sample_camera(rng, 200)
    left = arm_in_view(rng, camera, 200, left=True)
    right = replace(left, left=False, rotation=MIRROR @ left.rotation, origin=MIRROR @ left.origin)
    np.testing.assert_allclose(right.joints, left.joints @ MIRROR, atol=1e-12)
    flipped = camera.copy()
    flipped[0, 2] = 199 - camera[0, 2]
    seen_left, seen_right = draw(left, camera), draw(right, flipped)
    assert (seen_left[1] > PERSON).sum() > 300
    np.testing.assert_allclose(seen_right[0][:, ::-1], seen_left[0], rtol=1e-9)
    shift = RIGHT_HAND.start - LEFT_HAND.start
    expected = np.where(seen_left[1] > PERSON, seen_left[1] + shift, seen_left[1])
    np.testing.assert_array_equal(seen_right[1][:, ::-1], expected)


def draw(arm: Arm, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mesh = arm.mesh()
    seen = rasterise(mesh.vertices, mesh.faces, camera, 200, 200)
    return seen.depth, np.where(seen.face >= 0, mesh.parts[seen.face], 0).astype(int)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_arms_are_rigid_and_before_the_camera(seed, left):
    rng = np.random.default_rng(seed)
    arm = arm_in_view(rng, sample_camera(rng, 320), 320, left)
    np.testing.assert_allclose(bone_lengths(arm.joints), arm.skeleton.lengths, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.det(arm.rotation), 1 if left else -1)
    assert arm.joints[:, 2].min() > 0.15
