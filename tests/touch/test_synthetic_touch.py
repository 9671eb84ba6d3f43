"""Simulated insertions: physics that holds, pictures that agree with it, and how sets are made."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pyro_mmvae.data.making import SETTINGS_FILE
from pyro_mmvae.rendering.pinhole import project
from pyro_mmvae.touch.attempt_file import AttemptFile
from pyro_mmvae.touch.layout import STEPS
from pyro_mmvae.touch.synthetic import dataset, generate, sample_task, simulate
from pyro_mmvae.touch.synthetic.__main__ import main
from pyro_mmvae.touch.synthetic.camera import sample_view
from pyro_mmvae.touch.synthetic.draw import Painter
from pyro_mmvae.touch.synthetic.solids import fixture, hand
from pyro_mmvae.touch.synthetic.task import FIXTURE_HEIGHT, FLOOR, PEG_LENGTH, SHAPES
from pyro_mmvae.touch.synthetic.world import READINGS, STIFFNESS, World


def task_of(sides, **changes):
    task = next(t for t in (sample_task(np.random.default_rng([9, i])) for i in range(50)) if t.sides == sides)
    return replace(task, **changes)


def lowered(task, steps, by=0.004):
    """Press a peg down from above the hole, or beside it; return the last pose, forces and contacts."""
    world = World(task)
    for _ in range(steps):
        forces, contact = world.move(np.array([0, 0, -by, 0]))
    return world.pose, forces, contact


def above(task, aside=0.0):
    return np.array([task.place[0] + aside, task.place[1], FIXTURE_HEIGHT + 0.01, task.place[2]])


@pytest.mark.parametrize("sides", SHAPES.values())
def test_a_peg_over_its_hole_goes_in_and_one_beside_it_does_not(sides):
    task = task_of(sides)
    inside, forces, _ = lowered(replace(task, start=above(task)), 20)
    assert inside[2] == pytest.approx(FLOOR, abs=1e-3)
    beside, pressed, contact = lowered(replace(task, start=above(task, aside=0.02)), 20)
    assert beside[2] == pytest.approx(FIXTURE_HEIGHT, abs=1e-3)
    assert contact.all()
    # A wrist of known stiffness that is drawn 4 mm below what it rests on.
    for readings in (forces, pressed):
        assert readings[-10:, 2].mean() == pytest.approx(STIFFNESS * 0.004, rel=0.1)


def test_nothing_is_felt_in_free_air():
    task = task_of(4)
    world = World(replace(task, start=above(task) + np.array([0, 0, 0.05, 0])))
    for _ in range(3):
        forces, contact = world.move(np.zeros(4))
    assert not contact.any()
    np.testing.assert_allclose(forces, 0, atol=1e-6)
    assert forces.shape == (READINGS, 6)


def test_attempts_end_in_the_hole_and_on_its_edge():
    found = []
    for i in range(12):
        rng = np.random.default_rng([3, i])
        task = sample_task(rng)
        episode = simulate(task, rng)
        assert episode.pose[:, 2].min() > FLOOR - 2e-3
        assert episode.action.shape == episode.pose.shape == (STEPS, 4)
        felt = np.abs(episode.forces[..., :3]).max(-1)
        assert felt[episode.contact > 0].mean() > 3 * felt[episode.contact == 0].mean()
        found.append(episode.pose[:, 2].min())
    assert {True, False} == {low < FIXTURE_HEIGHT - 0.01 for low in found}


def closed(solid):
    """Whether every edge has a face on either side."""
    edges = [tuple(face[[i, (i + 1) % 3]]) for face in solid.faces for i in range(3)]
    return set(edges) == {(b, a) for a, b in edges}


@pytest.mark.parametrize("sides", SHAPES.values())
def test_meshes_turn_outwards(sides):
    task = task_of(sides)
    peg = hand(task, PEG_LENGTH)
    assert closed(peg)
    corners = peg.vertices[peg.faces]
    volume = np.linalg.det(corners).sum() / 6
    assert volume > 0
    block = fixture(task)
    normals, middle = block.normals(), block.vertices[block.faces].mean(1)
    up = normals[:, 2] > 0.9
    assert np.isclose(middle[up, 2], FIXTURE_HEIGHT).any()
    assert np.isclose(middle[up, 2], FLOOR).any()
    inner = (np.abs(normals[:, 2]) < 0.1) & (np.linalg.norm(normals, axis=1) > 0.5)  # those of slivers are nothing
    outwards = ((middle - np.append(task.place[:2], 0)) * normals).sum(1)
    hole = np.hypot(*(middle[:, :2] - task.place[:2]).T) < 0.03
    assert (outwards[inner & hole] < 0).all()
    assert (outwards[inner & ~hole] > 0).all()


def test_depth_is_that_of_the_scene():
    """Where the peg's middle is seen, and where the block's upper side is, beside the peg."""
    task, size = task_of(4), 96
    view = sample_view(task.sides, size, np.random.default_rng(0))
    pose = above(task) + np.array([0, 0, 0.01, 0])
    picture, depth = Painter(task, view).draw(pose, np.random.default_rng(1))
    towards = view.eye[:2] / np.linalg.norm(view.eye[:2])
    front = np.append(pose[:2], pose[2] + 0.02) + task.radius * np.append(towards, 0)
    right = np.array([-towards[1], towards[0]])
    top = np.append(task.place[:2] + 0.03 * right, FIXTURE_HEIGHT)
    for place, tolerance in ((front, 0.5 * task.radius), (top, 0.004)):
        point = view.to_camera(place[None])[0]
        u, v = project(point, view.matrix).round().astype(int)
        assert depth[v, u] == pytest.approx(point[2], abs=tolerance)
    assert picture.shape == (size, size, 3)
    assert np.isfinite(depth).all()


def bytes_of(root):
    return {path.name: path.read_bytes() for path in sorted(root.glob("*.h5"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("touch") / "set", 3, size=32, failing=0.5, workers=1, progress=False)


def test_a_set_is_read_by_the_reader(made):
    failed = 0
    for path in sorted(made.glob("*.h5")):
        with AttemptFile(path) as file:
            assert (file.steps, file.side) == (STEPS, 32)
        with h5py.File(path) as file:
            failed += int(np.asarray(file["failed"]).sum())
            contact = np.asarray(file["contact"])
            assert set(np.unique(contact)) <= {0.0, 1.0}
            assert file["proprio"].shape == (STEPS, 8)
    assert failed
    assert len(bytes_of(made)) == 3


def test_a_set_is_the_same_whoever_makes_it_and_begins_with_a_smaller_one(made, tmp_path):
    other = generate(tmp_path / "other", 3, size=32, failing=0.5, workers=2, progress=False)
    smaller = generate(tmp_path / "smaller", 2, size=32, failing=0.5, workers=1, progress=False)
    assert bytes_of(other) == bytes_of(made)
    assert bytes_of(smaller).items() <= bytes_of(made).items()
    clean = generate(tmp_path / "clean", 1, size=32, workers=1, progress=False)
    assert bytes_of(clean) != bytes_of(smaller)


def test_a_set_that_was_stopped_goes_on(made, tmp_path, monkeypatch):
    write = dataset._write_one

    def dies(number, **options):
        if number == 2:
            (tmp_path / ".set.unfinished" / "x.partial").write_bytes(b"half")
            raise KeyboardInterrupt
        write(number, **options)

    monkeypatch.setattr(dataset, "_write_one", dies)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "set", 3, size=32, failing=0.5, workers=1, progress=False)
    assert not (tmp_path / "set").exists()
    again = []
    monkeypatch.setattr(dataset, "_write_one", lambda number, **o: again.append(number) or write(number, **o))
    root = generate(tmp_path / "set", 3, size=32, failing=0.5, workers=1, progress=False)
    assert again == [2]
    assert bytes_of(root) == bytes_of(made)
    assert sorted(path.suffix for path in root.iterdir()) == [".h5", ".h5", ".h5", ".json"]


def test_a_finished_set_needs_no_simulator(made, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(dataset, "import_extra", missing)
    before = json.loads((made / SETTINGS_FILE).read_text())
    assert generate(made, 3, size=32, failing=0.5) == made
    assert json.loads((made / SETTINGS_FILE).read_text()) == before
    with pytest.raises(FileExistsError, match="other settings"):
        generate(made, 3, seed=1, size=32, failing=0.5)


@pytest.mark.parametrize(
    ("count", "options"), [(0, {}), (1, {"seed": -1}), (1, {"size": 8}), (1, {"failing": 2.0}), (1, {"workers": 0})]
)
def test_numbers_that_no_set_has_are_refused(tmp_path, count, options):
    with pytest.raises(ValueError, match="expected"):
        generate(tmp_path / "set", count, **options)
    assert not list(tmp_path.iterdir())


def test_the_command_makes_a_set_and_a_sheet(tmp_path, capsys):
    words = ["--out", str(tmp_path / "set"), "--count", "1", "--size", "32", "--workers", "1", "--quiet"]
    main([*words, "--preview", str(tmp_path / "sheet.png")])
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    with pytest.raises(SystemExit) as error:
        main([*words, "--count", "0"])
    assert error.value.code == 2
    assert "expected at least one attempt" in capsys.readouterr().err
