import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pyro_mmvae.data.affine import apply_affine, compose_affine, invert_affine
from pyro_mmvae.hands import geometry

PIXEL = st.tuples(st.floats(-50, 370), st.floats(-50, 370))
ANGLE = st.floats(-np.pi, np.pi)
FOCAL = st.floats(100, 600)


def camera(focal=280.0, focal_y=None):
    return np.array([[focal, 0, 155.0], [0, focal_y or focal, 162.0], [0, 0, 1]])


@given(ANGLE)
def test_rotations_agree_with_scipy(angle):
    for axis, rotation in zip("xyz", (geometry.rotation_x, geometry.rotation_y, geometry.rotation_z), strict=True):
        np.testing.assert_allclose(rotation(angle), Rotation.from_euler(axis, angle).as_matrix(), atol=1e-12)


@given(PIXEL, FOCAL, FOCAL)
def test_viewpoint_correction_takes_the_ray_to_the_optical_axis(pixel, focal, focal_y):
    matrix = camera(focal, focal_y)
    rotation = geometry.viewpoint_rotation(np.array(pixel), matrix)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    ray = np.linalg.inv(matrix) @ [*pixel, 1]
    np.testing.assert_allclose(rotation @ ray, [0, 0, np.linalg.norm(ray)], atol=1e-9)


def test_viewpoint_correction_is_the_papers_formula():
    u, v, f, ox, oy = 250.0, 40.0, 280.0, 155.0, 162.0
    a = np.arctan2(u - ox, f)
    c = geometry.rotation_y(-a) @ [u - ox, v - oy, f]
    b = np.arctan2(c[1], c[2])
    expected = geometry.rotation_x(b) @ geometry.rotation_y(-a)
    np.testing.assert_allclose(geometry.viewpoint_rotation(np.array([u, v]), camera()), expected, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_back_projection_undoes_projection(seed):
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(-1, 1, (20, 2)), rng.uniform(0.3, 2, 20)])
    pixels = geometry.project(points, camera(280, 310))
    np.testing.assert_allclose(geometry.back_project(pixels, points[:, 2], camera(280, 310)), points, atol=1e-12)


def test_pixels_without_depth_are_left_out():
    depth = np.array([0.5, 0, -1, np.nan, np.inf, 0.7])
    points = geometry.back_project(np.zeros((6, 2)), depth, camera())
    np.testing.assert_array_equal(points[:, 2], [0.5, 0.7])


@given(PIXEL, st.floats(10, 200), st.booleans(), st.floats(1, 1.2), ANGLE, st.booleans())
def test_crop_affine(center, half, mirrored, zoom, angle, flipped):
    center, size = np.array(center), 128
    options = {"mirrored": mirrored, "zoom": zoom, "angle": angle, "shift": (3, -4), "flipped": flipped}
    affine = geometry.crop_affine(center, half, size, **options)
    points = center + np.array([[0, 0], [half, 0], [0, half]])
    middle, right, bottom = apply_affine(affine, points)
    np.testing.assert_allclose(middle, [63.5 + 3, 63.5 - 4], atol=1e-9)
    reach = 64 * zoom
    turn = np.diag([1, -1 if flipped else 1]) @ geometry.rotation_z(angle)[:2, :2]
    np.testing.assert_allclose(right - middle, turn @ [-reach if mirrored else reach, 0], atol=1e-9)
    np.testing.assert_allclose(bottom - middle, turn @ [0, reach], atol=1e-9)
    np.testing.assert_allclose(compose_affine(invert_affine(affine), affine), np.eye(2, 3), atol=1e-9)


def test_plain_crop_keeps_edges():
    affine = geometry.crop_affine(np.array([9.5, 9.5]), 10, 40)
    # The first of 20 pixels covers the crop's first two: its left edge stays the left edge.
    np.testing.assert_allclose(apply_affine(affine, np.array([[-0.5, -0.5], [19.5, 19.5]])), [[-0.5] * 2, [39.5] * 2])


@given(PIXEL, ANGLE, st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_undo_viewpoint(pixel, angle, mirrored, flipped, seed):
    rng = np.random.default_rng(seed)
    points, root = rng.normal(size=(2, 21, 3)), rng.normal(size=3)
    rotation = geometry.rotation_z(angle) @ geometry.viewpoint_rotation(np.array(pixel), camera())
    rotation = geometry.FLIP @ rotation if flipped else rotation
    mirror = geometry.MIRROR if mirrored else np.eye(3)
    normalised = (points - root) @ mirror @ rotation.T / 0.03
    undone = geometry.undo_viewpoint(
        torch.as_tensor(normalised)[:, None],  # (lead 2, B 1, 21, 3)
        torch.tensor([0.03]),
        torch.as_tensor(root)[None],
        torch.as_tensor(rotation)[None],
        torch.tensor([mirrored]),
    )
    np.testing.assert_allclose(undone[:, 0], points, atol=1e-7)
