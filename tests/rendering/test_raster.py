"""The rasteriser against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyro_mmvae.rendering.isosurface import surface
from pyro_mmvae.rendering.pinhole import back_project, project
from pyro_mmvae.rendering.raster import Fragments, rasterise
from pyro_mmvae.rendering.render import renderer_named
from pyro_mmvae.rendering.surfaces import hollows

CAMERA = np.array([[120.0, 0, 50.3], [0, 118.0, 41.7], [0, 0, 1]])
HEIGHT, WIDTH = 90, 110
RAYS = np.stack(
    [
        (np.arange(WIDTH)[None] - CAMERA[0, 2]) / CAMERA[0, 0] + np.zeros((HEIGHT, 1)),
        (np.arange(HEIGHT)[:, None] - CAMERA[1, 2]) / CAMERA[1, 1] + np.zeros((1, WIDTH)),
        np.ones((HEIGHT, WIDTH)),
    ],
    axis=-1,
)


def draw(vertices: np.ndarray, faces: np.ndarray) -> Fragments:
    return rasterise(vertices, faces, CAMERA, HEIGHT, WIDTH)


def quad(normal: np.ndarray, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """A square of the plane normal . x = offset that fills the view, turned to the camera."""
    corners = [[-60, -60], [WIDTH + 60, -60], [WIDTH + 60, HEIGHT + 60], [-60, HEIGHT + 60]]
    directions = np.array([back_project(np.array(c, float), 1.0, CAMERA) for c in corners])
    vertices = directions * (offset / (directions @ normal))[:, None]
    return vertices, np.array([[0, 2, 1], [0, 3, 2]])


def test_depth_of_a_slanted_plane_is_exact():
    normal = np.array([0.2, -0.3, 1.0])
    seen = draw(*quad(normal, 0.8))
    assert (seen.face >= 0).all()
    np.testing.assert_allclose(seen.depth, 0.8 / (RAYS @ normal), rtol=1e-12)


def test_barycentric_coordinates_give_back_the_point():
    vertices, faces = quad(np.array([-0.4, 0.1, 1.0]), 0.6)
    seen = draw(vertices, faces)
    points = (vertices[faces[seen.face]] * seen.barycentric[..., None]).sum(2)
    np.testing.assert_allclose(points, RAYS * seen.depth[..., None], atol=1e-12)


def test_sphere():
    axis = np.arange(-0.115, 0.12, 0.005)
    centre, radius = np.array([0.02, -0.01, 0.6]), 0.1
    vertices, faces = surface(lambda p: np.linalg.norm(p, axis=1) - radius, [axis] * 3)
    seen = draw(vertices + centre, faces)
    a, b = (RAYS**2).sum(-1), RAYS @ centre
    discriminant = b**2 - a * (centre @ centre - radius**2)
    hit = discriminant > 0
    assert (hit != (seen.face >= 0)).sum() <= 0.02 * hit.sum()  # the mesh is a little inside the sphere
    sure = discriminant > 0.1 * discriminant.max()
    exact = (b - np.sqrt(np.maximum(discriminant, 0))) / a
    np.testing.assert_allclose(seen.depth[sure], exact[sure], atol=3e-4)


def test_nearer_surface_wins_in_any_order():
    near, far = quad(np.array([0.0, 0.0, 1.0]), 0.4), quad(np.array([0.0, 0.0, 1.0]), 0.9)
    for first, second in ((near, far), (far, near)):
        vertices = np.concatenate([first[0], second[0]])
        seen = draw(vertices, np.concatenate([first[1], second[1] + 4]))
        np.testing.assert_allclose(seen.depth, 0.4)


def test_what_turns_away_or_is_too_near_is_not_drawn():
    vertices, faces = quad(np.array([0.0, 0.0, 1.0]), 0.5)
    assert (draw(vertices, faces[:, ::-1]).face == -1).all()
    assert (draw(vertices * 0.05, faces).face == -1).all()
    assert np.isinf(draw(vertices * -1, faces).depth).all()
    assert (draw(vertices, faces[:0]).face == -1).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_triangle_covers_the_pixels_whose_centres_it_holds(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-30, 130, (3, 2))
    depth = rng.uniform(0.3, 1.0, 3)
    vertices = np.stack([back_project(c, z, CAMERA) for c, z in zip(corners, depth, strict=True)])
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    sides = []
    for i in range(3):
        (x0, y0), (x1, y1) = corners[i], corners[(i + 1) % 3]
        sides.append((x1 - x0) * (v - y0) - (y1 - y0) * (u - x0))
    inside = (np.stack(sides) < 0).all(0) | (np.stack(sides) > 0).all(0)
    both = draw(vertices, np.array([[0, 1, 2], [0, 2, 1]]))  # one of the two faces the camera
    np.testing.assert_array_equal(both.face >= 0, inside)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0.1, 3))
def test_back_projection_is_the_inverse_of_projection(u, v, depth):
    pixel = np.array([u, v])
    np.testing.assert_allclose(project(back_project(pixel, depth, CAMERA), CAMERA), pixel, atol=1e-9)


def test_hollows_are_dark_and_flat_surfaces_are_not():
    depth = np.full((64, 64), 0.5)
    assert hollows(depth, 4, 0.015).max() < 1e-9
    depth[30:34, 30:34] += 0.02
    dark = hollows(depth, 8, 0.015)
    assert dark[31, 31] > 0.5
    assert dark[5, 5] < 1e-9


def test_unknown_renderer():
    with pytest.raises(ValueError, match="numpy"):
        renderer_named("magic")
