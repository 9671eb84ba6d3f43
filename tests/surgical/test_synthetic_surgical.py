"""Synthetic surgical scenes: geometry, determinism, going on, and that the reader finds what was drawn."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pyro_mmvae.data.making import SETTINGS_FILE
from pyro_mmvae.surgical.layout import CLASSES, ORGANS, SCENES, View, view_path
from pyro_mmvae.surgical.record import ReadOptions, read_camera, read_view
from pyro_mmvae.surgical.synthetic import anatomy, camera_matrix, generate, sample_view
from pyro_mmvae.surgical.synthetic import dataset as module
from pyro_mmvae.surgical.synthetic.__main__ import main
from pyro_mmvae.surgical.views import find_views

WIDTH = 64


def make(root, views=1, seed=0, workers=1):
    return generate(root, views, seed, width=WIDTH, workers=workers, progress=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make(tmp_path_factory.mktemp("surgical") / "set", 2)


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("scene", [SCENES[0], SCENES[-1]])
def test_organs_lie_inside_of_the_cavity_and_are_closed(scene):
    found = anatomy(0, scene)
    wall = CLASSES.index("wall")
    for kind in ORGANS:
        faces = found.faces[found.classes == kind]
        inside = found.distances[wall](found.vertices[np.unique(faces)])
        assert inside.min() > (-3 if kind == CLASSES.index("ligament") else -1.0), CLASSES[kind]
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        _, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
        assert (counts % 2 == 0).all(), CLASSES[kind]


def test_no_two_scenes_are_alike():
    assert not np.array_equal(anatomy(0, 1).vertices[:500], anatomy(0, 2).vertices[:500])
    assert not np.array_equal(anatomy(0, 1).vertices[:500], anatomy(1, 1).vertices[:500])


def test_points_of_the_depth_lie_on_the_organs_of_the_mask():
    scene = anatomy(0, 1)
    seen, camera = sample_view(scene, np.random.default_rng(3), WIDTH), camera_matrix(WIDTH)
    v, u = np.mgrid[: seen.depth.shape[0], : seen.depth.shape[1]]
    rays = np.stack([(u - camera[0, 2]) / camera[0, 0], (v - camera[1, 2]) / camera[1, 1], np.ones_like(u)], axis=-1)
    points = (rays * seen.depth[..., None]) @ seen.rotation + seen.position
    for kind in np.unique(seen.classes):
        off = np.abs(scene.distances[kind](points[seen.classes == kind]))
        assert np.quantile(off, 0.95) < 1.5, CLASSES[kind]  # a mesh is within a part of its cells


def test_there_are_highlights_and_enough_to_tell_apart():
    seen = [sample_view(anatomy(0, scene), np.random.default_rng(scene), 128) for scene in (1, 4, 7)]
    assert any((s.colour.min(-1) > 215).any() for s in seen)
    for s in seen:
        shares = np.bincount(s.classes.ravel(), minlength=len(CLASSES)) / s.classes.size
        assert shares.max() <= 0.85
        assert (shares >= 0.03).sum() >= 3


def test_what_is_drawn_is_read(root):
    assert find_views(root) == [View(scene, number) for scene in SCENES for number in range(2)]
    side = WIDTH // 2
    options = ReadOptions(side, side, read_camera(root), unit=1.0)
    for view in (View(1, 0), View(7, 1)):
        seen = sample_view(anatomy(0, view.scene), np.random.default_rng([0, *view]), WIDTH)
        record = read_view(root, view, options)
        cut = slice(side // 2, side // 2 + side)
        np.testing.assert_array_equal(record.segmentation, seen.classes[:, cut])
        np.testing.assert_array_equal(record.image, seen.colour[:, cut])
        np.testing.assert_allclose(np.sort(record.cloud[:, 2]), np.sort(seen.depth[:, cut].ravel()), rtol=1e-3)


def test_it_does_not_depend_on_processes_or_size(root, tmp_path):
    assert digest(make(tmp_path / "a", 2, workers=2)) == digest(root)
    smaller = digest(make(tmp_path / "b"))
    del smaller[SETTINGS_FILE]
    assert smaller.items() <= digest(root).items()
    assert digest(make(tmp_path / "c", seed=1))[next(iter(smaller))] != smaller[next(iter(smaller))]


def test_a_stopped_set_goes_on(root, tmp_path, monkeypatch):
    write, written = module._write_one, []

    def stops(view, **options):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(view)
        write(view, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_one", stops)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "cut", 2)
    assert not (tmp_path / "cut").exists()
    view_path(tmp_path / ".cut.unfinished", "translation", written[-1]).unlink()  # as if killed before it
    drawn = []
    monkeypatch.setattr(module, "_write_one", lambda view, **options: (drawn.append(view), write(view, **options)))
    assert digest(make(tmp_path / "cut", 2)) == digest(root)
    assert len(drawn) == 14 - 4
    make(tmp_path / "cut", 2)
    assert len(drawn) == 14 - 4


def test_other_sets_and_other_things_are_left_alone(root, tmp_path):
    with pytest.raises(FileExistsError, match="other settings"):
        make(root, 3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("")
    with pytest.raises(FileExistsError, match="holds no finished synthetic set"):
        make(tmp_path / "mine")


@pytest.mark.parametrize("options", [{"views": 0}, {"seed": -1}, {"width": 8}, {"width": 65}, {"workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="expected"):
        generate(tmp_path / "x", **{"views": 1, "width": WIDTH, **options})
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path, capsys):
    words = ["--out", str(tmp_path / "set"), "--views", "1", "--width", str(WIDTH), "--quiet"]
    main([*words, "--preview", str(tmp_path / "sheet.png")])
    assert "7 scenes of 1 views" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").is_file()
    with pytest.raises(SystemExit) as error:
        main([*words[:2], "--views", "0"])
    assert error.value.code == 2
    assert "error: expected at least one view" in capsys.readouterr().err
