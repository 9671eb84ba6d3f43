"""open3d and our own code agree; without open3d the error says what to install."""

from __future__ import annotations

import builtins
import subprocess
import sys

import numpy as np
import pytest

from pyro_mmvae.data.open3d_import import import_open3d
from pyro_mmvae.data.ply import read_ply, write_ply
from pyro_mmvae.hands.rhd_format import BONES
from pyro_mmvae.hands.synthetic import generate, sample_scene
from pyro_mmvae.hands.synthetic.arm import arm_in_view
from pyro_mmvae.hands.synthetic.camera import sample_camera
from pyro_mmvae.hands.synthetic.mesh import join
from pyro_mmvae.hands.viewer import Item
from pyro_mmvae.hands.viewer.window import geometries
from pyro_mmvae.rendering.raster import rasterise
from pyro_mmvae.rendering.raycast import raycast


@pytest.fixture(scope="module")
def o3d():
    pytest.importorskip("torch")
    return pytest.importorskip("open3d")


@pytest.mark.parametrize("seed", range(6))
def test_both_renderers_draw_the_same_pixels(o3d, seed):
    rng = np.random.default_rng(seed)
    camera = sample_camera(rng, 320)
    mesh = join([arm_in_view(rng, camera, 320, left).mesh() for left in (True, False)])
    ours, theirs = (draw(mesh.vertices, mesh.faces, camera, 320, 320) for draw in (rasterise, raycast))
    hit = ours.face >= 0
    assert hit.sum() > 1000
    np.testing.assert_array_equal(theirs.face >= 0, hit)
    np.testing.assert_array_equal(mesh.parts[theirs.face[hit]], mesh.parts[ours.face[hit]])
    np.testing.assert_allclose(theirs.depth[hit], ours.depth[hit], atol=1e-5)
    assert np.isinf(theirs.depth[~hit]).all()
    same = hit & (ours.face == theirs.face)
    assert same.sum() >= hit.sum() - 3  # a pixel on an edge may go to either face
    np.testing.assert_allclose(theirs.barycentric[same], ours.barycentric[same], atol=2e-3)


def test_half_a_pixel_would_be_noticed(o3d):
    """open3d's own pinhole rays go through u + 0.5: they see another picture."""
    rng = np.random.default_rng(0)
    camera = sample_camera(rng, 320)
    mesh = arm_in_view(rng, camera, 320, left=True).mesh()
    shifted = camera.copy()
    shifted[:2, 2] -= 0.5
    ours, theirs = (
        rasterise(mesh.vertices, mesh.faces, camera, 320, 320),
        raycast(mesh.vertices, mesh.faces, shifted, 320, 320),
    )
    assert ((ours.face >= 0) != (theirs.face >= 0)).sum() > 50


def test_pictures_agree(o3d):
    ours, theirs = (sample_scene(np.random.default_rng(2), 320, renderer) for renderer in ("numpy", "open3d"))
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_allclose(ours.depth, theirs.depth, atol=1e-5)
    np.testing.assert_array_equal(ours.uv_vis, theirs.uv_vis)
    difference = np.abs(ours.color.astype(int) - theirs.color.astype(int))
    assert (difference > 2).mean() < 1e-3


def test_nothing_in_view(o3d):
    triangle = np.array([[0, 0, 1.0], [1, 0, 1], [0, 1, 1]])
    camera = sample_camera(np.random.default_rng(0), 64)
    for vertices, faces in ((triangle, np.zeros((0, 3), int)), (triangle + np.array([9, 0, 0]), np.array([[0, 2, 1]]))):
        seen = raycast(vertices, faces, camera, 64, 64)
        assert (seen.face == -1).all()
        assert np.isinf(seen.depth).all()


@pytest.fixture
def no_open3d(monkeypatch):
    real = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.split(".")[0] == "open3d":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("no_open3d")
def test_without_open3d_the_error_says_what_to_install(tmp_path):
    with pytest.raises(ImportError, match=r"libGL.*pyro-mmvae\[open3d\].*libgl1 libegl1 libx11-6 libgomp1"):
        import_open3d()
    with pytest.raises(ImportError, match=r"pyro-mmvae\[open3d\]"):
        generate(tmp_path / "hands", 1, 1, renderer="open3d", workers=1, progress=False)
    assert not list(tmp_path.iterdir())
    assert sample_scene(np.random.default_rng(0), 64).color.shape == (64, 64, 3)


def test_open3d_is_imported_only_where_it_is_asked_for():
    code = "import sys, pyro_mmvae.hands.synthetic, pyro_mmvae.hands.viewer; sys.exit('open3d' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("ascii_file", [False, True])
def test_clouds_travel_to_and_from_open3d(o3d, tmp_path, ascii_file):
    rng = np.random.default_rng(0)
    points, colors = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 256, (50, 3), dtype=np.uint8)
    ours = o3d.io.read_point_cloud(str(write_ply(tmp_path / "ours.ply", points, colors)))
    np.testing.assert_allclose(np.asarray(ours.points), points)
    np.testing.assert_allclose(np.asarray(ours.colors), colors / 255)
    o3d.io.write_point_cloud(str(tmp_path / "theirs.ply"), ours, write_ascii=ascii_file)
    theirs = read_ply(tmp_path / "theirs.ply")
    np.testing.assert_allclose(theirs.points, points, rtol=1e-5)
    np.testing.assert_array_equal(theirs.colors, colors)


def test_shapes_of_the_window(o3d):
    joints = np.random.default_rng(0).normal(size=(21, 3))
    cloud, hand, bones = geometries([Item("cloud", joints[:5]), Item("hand", joints, is_hand=True)])
    assert len(cloud.points) == 5
    np.testing.assert_allclose(np.asarray(hand.points), joints)
    np.testing.assert_array_equal(np.asarray(bones.lines), BONES)
