"""The reader of Sim2Real's layout on written files, whole ones and bad ones."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from surgical_factory import SIZE, classes_of_view, write_surgical, write_view

from pyro_mmvae.data.exr import write_exr
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.sensor_noise import SensorNoise
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.surgical.dataset import Views
from pyro_mmvae.surgical.layout import COLOURS, View, view_path
from pyro_mmvae.surgical.record import (
    BadViewError,
    ReadOptions,
    classes_of,
    points_of,
    read_camera,
    read_view,
    shrunk,
)
from pyro_mmvae.surgical.views import find_views, split_views

CAMERA = np.array([[20.0, 0, 11.5], [0, 20, 7.5], [0, 0, 1]])
OPTIONS = ReadOptions(image_size=16, map_size=8, camera=CAMERA, unit=10.0)


@pytest.fixture
def root(tmp_path):
    return write_surgical(tmp_path / "set")


def every(dataset, epoch=0):
    return dataset.batch(Draws(torch.arange(len(dataset)), epoch))


def test_a_view_is_read(root):
    view = View(3, 1)
    record = read_view(root, view, OPTIONS)
    classes = classes_of_view(view)[:, 4:20]
    np.testing.assert_array_equal(record.segmentation, classes[::2, ::2])
    picture = np.asarray(Image.open(view_path(root, "translation", view)))
    np.testing.assert_array_equal(record.image, picture[:, 4:20])
    assert record.cloud.shape == (16 * 16, 3)
    np.testing.assert_allclose(record.cloud[:, 2], 5.3)
    np.testing.assert_allclose(record.cloud[:, 0].min(), (4 - 11.5) / 20 * 5.3, rtol=1e-6)
    np.testing.assert_allclose(record.cloud[:, 1].max(), (15 - 7.5) / 20 * 5.3, rtol=1e-6)


def test_views_are_those_with_colour_and_mask(root):
    view_path(root, "segmentation", View(2, 1)).unlink()
    view_path(root, "translation", View(5, 0)).unlink()
    (view_path(root, "translation", View(1, 0)).parent / "notes.txt").write_text("")
    log = SkipLog()
    found = find_views(root, log=log)
    assert found == sorted(set(View(s, n) for s in range(1, 8) for n in (0, 1)) - {View(2, 1), View(5, 0)})
    assert log.counts == {"no mask": 1, "no colour picture": 1}
    assert "scene_2/0001" in str(log)


def test_a_folder_without_views_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected views such as translation_random_views/random_views"):
        find_views(tmp_path)


def test_splits(root):
    views = find_views(root)
    train, test = split_views(views)
    assert {view.scene for view in test} == {6, 7}
    assert sorted([*train, *test]) == views
    train, test = split_views(views, test_scenes=(1,))
    assert {view.scene for view in test} == {1}
    train, test = split_views(views, "views")
    assert sorted([*train, *test]) == views
    assert len(test) == round(0.2 * len(views))
    assert split_views(views, "views") == (train, test)
    with pytest.raises(ValueError, match="to train and to test on, got 14 and 0"):
        split_views(views, test_scenes=(9,))


def test_batches(root):
    found = every(Views(root, find_views(root), OPTIONS, num_points=32, preload=True, progress=False))
    batch = found.batch
    assert batch.data["rgb"].shape == (14, 3, 16, 16)
    assert batch.data["cloud"].shape == (14, 32, 3)
    assert batch.data["segmentation"].shape == (14, 8, 8)
    assert batch.data["segmentation"].dtype == torch.int64
    assert all(observed.all() for observed in batch.observed.values())
    assert not found.skipped
    assert not any(flags.any() for flags in found.corrupted.values())


def test_a_view_without_depth_has_no_cloud(root):
    views = find_views(root)
    view_path(root, "depth", views[0]).unlink()
    write_exr(view_path(root, "depth", views[1]), np.full(SIZE[::-1], 1e10, np.float32))
    noise = SensorNoise(cloud_noise=1.0)
    found = every(Views(root, views[:3], OPTIONS, num_points=8, noise=noise))
    assert found.batch.observed["cloud"].tolist() == [False, False, True]
    assert found.corrupted["cloud"].tolist() == [False, False, True]
    assert not found.batch.data["cloud"][:2].any()
    without = every(Views(root, views, OPTIONS._replace(camera=None), num_points=8))
    assert not without.batch.observed["cloud"].any()


def test_draws_follow_from_seed_epoch_and_view(root):
    options = {"num_points": 16, "jitter": 0.2, "noise": SensorNoise(0.5, 0.1, 0.5)}
    views = find_views(root)
    one, two = (Views(root, views, OPTIONS, preload=preload, progress=False, **options) for preload in (False, True))
    first, again, later = every(one), every(two), every(one, 1)
    part = one.batch(Draws(torch.tensor([5, 2])))
    for name, value in first.batch.data.items():
        assert torch.equal(value, again.batch.data[name])
        assert torch.equal(value[[5, 2]], part.batch.data[name])
    assert not torch.equal(first.batch.data["rgb"], later.batch.data["rgb"])
    assert torch.equal(first.batch.data["segmentation"], later.batch.data["segmentation"])
    for name, flags in first.corrupted.items():
        assert torch.equal(flags, later.corrupted[name])
        assert 0 < flags.sum() < len(flags)


def spoil(path, kind):
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "other size":
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, format="PNG")
    elif kind == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "other size", "folder"])
@pytest.mark.parametrize("picture", ["translation", "segmentation", "depth"])
def test_a_bad_file_leaves_its_view_out(root, picture, kind):
    views = find_views(root)
    spoil(view_path(root, picture, views[2]), kind)
    lazy = Views(root, views, OPTIONS, num_points=8)
    found = every(lazy)
    if (picture, kind) == ("depth", "missing"):
        assert found.batch.size == 14
        return
    assert found.views == tuple(view for view in views if view != views[2])
    assert [name for name, _ in found.skipped] == [views[2].name]
    with pytest.warns(UserWarning, match=r"13 views used, 1 views left out"):
        preloaded = Views(root, views, OPTIONS, num_points=8, preload=True, progress=False)
    assert len(preloaded) == 13
    assert preloaded.log.counts.total() == 1


def test_a_batch_of_nothing_but_bad_views_is_empty(root):
    views = find_views(root)[:2]
    for view in views:
        spoil(view_path(root, "segmentation", view), "cut")
    found = every(Views(root, views, OPTIONS, num_points=8))
    assert found.batch.size == 0
    assert found.batch.data["cloud"].shape == (0, 8, 3)
    assert len(found.skipped) == 2
    with pytest.raises(ValueError, match="expected views that can be used, got none; 2 views left out"):
        Views(root, views, OPTIONS, num_points=8, preload=True, progress=False)


def test_masks_of_other_colours_are_refused(root):
    view = find_views(root)[0]
    mask = np.full((*SIZE[::-1], 3), (89, 89, 89), np.uint8)
    Image.fromarray(mask).save(view_path(root, "segmentation", view))
    with pytest.raises(BadViewError, match="100% of the pixels have the colour of no class"):
        read_view(root, view, OPTIONS)
    Image.fromarray(mask[..., 0]).save(view_path(root, "segmentation", view))
    with pytest.raises(BadViewError, match="unreadable picture"):
        read_view(root, view, OPTIONS)


def test_colours_between_two_classes_are_nothing():
    mask = np.tile(COLOURS[2], (4, 10, 1))
    mask[0, 0] = (128, 128, 0)  # half fat, half wall
    mask[0, 1] = (250, 6, 3)
    assert classes_of(mask).tolist()[0] == [0, *[2] * 9]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**16))
def test_shrinking_takes_the_class_that_covers_most(side, factor, seed):
    classes = np.random.default_rng(seed).integers(0, 6, (side * factor,) * 2).astype(np.uint8)
    blocks = classes.reshape(side, factor, side, factor).swapaxes(1, 2).reshape(side, side, -1)
    counts = np.stack([(blocks == kind).sum(-1) for kind in range(6)])
    found = shrunk(classes, side)
    chosen = np.take_along_axis(counts, found[None].astype(int), 0)[0]
    assert (chosen >= counts.max(0) - 0.01 * factor**2).all()  # up to Pillow's rounding to bytes


def test_points_are_within_the_box_and_measured():
    depth = np.full((6, 8), 40.0, np.float32)
    depth[0], depth[1, 3] = np.nan, -1
    rng = np.random.default_rng(0)
    points = points_of(depth, CAMERA, (2, 0, 8, 6), 1.0, 1000, rng)
    assert len(points) == 6 * 6 - 6 - 1
    assert len(points_of(depth, CAMERA, (2, 0, 8, 6), 1.0, 5, rng)) == 5
    assert points_of(depth, CAMERA, (0, 0, 8, 1), 1.0, 5, rng) is None


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "a b c", "0 0 0 0 0 0 0 0 1", "nan 0 1 0 1 1 0 0 1", "9 " * 9, "1" * 99999]
)
def test_a_bad_camera_is_refused(root, text):
    (root / "intrinsics.txt").write_text(text)
    with pytest.raises(ValueError, match="expected"):
        read_camera(root)


def test_a_camera_is_given_or_there(root):
    np.testing.assert_array_equal(read_camera(root), CAMERA)
    np.testing.assert_array_equal(read_camera(root, (20, 20, 11.5, 7.5)), CAMERA)
    (root / "intrinsics.txt").unlink()
    with pytest.raises(FileNotFoundError, match="expected the camera's matrix"):
        read_camera(root)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_crashes(tmp_path_factory, data):
    """Whatever happens to a file, its view is read or refused with a reason."""
    root = tmp_path_factory.getbasetemp() / "damaged_views"
    view = View(1, 0)
    write_view(root, view)
    path = view_path(root, data.draw(st.sampled_from(["translation", "segmentation", "depth"])), view)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else content)
    with suppress(BadViewError):
        record = read_view(root, view, OPTIONS)
        assert record.segmentation.max() < 6
        assert record.cloud is None or np.isfinite(record.cloud).all()


def test_an_animation_or_jpeg_is_no_mask(root):
    view = find_views(root)[0]
    stream = io.BytesIO()
    Image.fromarray(np.zeros((*SIZE[::-1], 3), np.uint8)).save(stream, format="JPEG")
    view_path(root, "segmentation", view).write_bytes(stream.getvalue())
    with pytest.raises(BadViewError, match="expected a PNG file"):
        read_view(root, view, OPTIONS)
