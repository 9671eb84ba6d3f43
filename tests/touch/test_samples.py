"""From files to samples: what models see, what is not observed, which sensors fail."""

from __future__ import annotations

import pickle
import warnings

import h5py
import numpy as np
import pytest
import torch
import touch_factory
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws, Samples
from pyro_mmvae.touch.dataset import Touch, find_attempts
from pyro_mmvae.touch.failures import RANGES, Failing, replaced
from pyro_mmvae.touch.layout import ACTION, DEPTH, FORCE, RGB, SENSORS
from pyro_mmvae.touch.views import ViewOptions, view_depth, view_rgb


@pytest.fixture
def folder(tmp_path):
    held = [touch_factory.write(tmp_path / f"{i}.h5", seed=i, steps=5 + i) for i in range(3)]
    return tmp_path, held


def touch(root, side=8, failing=None, seed=0, preload=False, **options):
    attempts = find_attempts(root, side)
    chosen = ViewOptions(side, **options)
    return Touch(attempts.paths, attempts.steps, chosen, failing=failing, seed=seed, preload=preload)


def everything(samples, epoch=0):
    return samples.batch(Draws(torch.arange(len(samples)), epoch))


def test_samples_are_all_steps_but_the_last_of_each_attempt(folder):
    root, held = folder
    samples = touch(root, force_scale=(2.0, 0.5), action_mean=(0.1,) * 4, action_std=(0.5,) * 4)
    assert isinstance(samples, Samples)
    assert len(samples) == 4 + 5 + 6
    batch = everything(samples)
    one = held[1]  # its step 2 is sample 4 + 2
    rgb = avg_pool2d(torch.from_numpy(one["image"][2]).permute(2, 0, 1).double(), 2).round() / 255
    torch.testing.assert_close(batch.data[RGB][6], rgb.float(), atol=1.01 / 255, rtol=0)
    depth = avg_pool2d(torch.from_numpy(one["depth_data"][2]).permute(2, 0, 1), 2)
    torch.testing.assert_close(batch.data[DEPTH][6], depth)
    scaled = one["ee_forces_continuous"][2, -32:] / [2, 2, 2, 0.5, 0.5, 0.5]
    torch.testing.assert_close(batch.data[FORCE][6], torch.from_numpy(np.tanh(scaled).T).float())
    torch.testing.assert_close(batch.data[ACTION][6], torch.from_numpy((one["action"][3] - 0.1) / 0.5))
    assert all(bool(batch.observed[name].all()) for name in SENSORS)


def test_the_action_may_be_the_one_that_led_there(folder):
    root, held = folder
    batch = everything(touch(root, next_action=False))
    np.testing.assert_array_equal(batch.data[ACTION][:4], held[0]["action"][:4])
    np.testing.assert_array_equal(touch(root).actions(), np.concatenate([one["action"] for one in held]))


def test_what_is_kept_in_memory_is_what_is_read(folder):
    root, _ = folder
    for failing in (None, Failing(("rgb", "force"), 0.5, 0.3)):
        read, kept = (everything(touch(root, failing=failing, preload=p), 3) for p in (False, True))
        for name in SENSORS:
            torch.testing.assert_close(read.data[name], kept.data[name], rtol=0, atol=0)


def test_workers_and_copies_open_files_of_their_own(folder):
    root, _ = folder
    samples = touch(root)
    here = everything(samples)  # files are open now
    copy = everything(pickle.loads(pickle.dumps(samples)))
    elsewhere = list(make_loader(samples, 4, workers=2))
    for name in SENSORS:
        torch.testing.assert_close(copy.data[name], here.data[name], rtol=0, atol=0)
        torch.testing.assert_close(torch.cat([b.data[name] for b in elsewhere]), here.data[name], rtol=0, atol=0)


def test_more_files_than_may_be_open(folder, monkeypatch):
    root, _ = folder
    before = everything(touch(root))
    monkeypatch.setattr("pyro_mmvae.touch.dataset.OPEN_FILES", 1)
    samples = touch(root)
    again = samples.batch(Draws(torch.arange(len(samples)).flip(0)))
    torch.testing.assert_close(again.data[RGB].flip(0), before.data[RGB], rtol=0, atol=0)


def test_what_a_file_does_not_tell_is_not_observed(tmp_path):
    held = touch_factory.arrays()
    held["ee_forces_continuous"][1, -1, 2] = np.nan
    held["ee_forces_continuous"][0, 0, 2] = np.nan  # not among the last 32
    held["action"][3] = np.inf
    held["depth_data"][3] = 0
    touch_factory.write(tmp_path / "a.h5", held)
    batch = everything(touch(tmp_path))
    assert batch.observed[FORCE].tolist() == [True, False, True, True]
    assert batch.observed[ACTION].tolist() == [True, True, False, True]
    assert batch.observed[DEPTH].tolist() == [True, True, True, False]
    for name in SENSORS:
        assert torch.isfinite(batch.data[name]).all()
        assert (batch.data[name][~batch.observed[name]] == 0).all()


def test_a_damaged_part_is_not_observed(tmp_path):
    held = touch_factory.write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        place = file["image"].id.get_chunk_info(1).byte_offset
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[place : place + 20] = b"\xff" * 20
    (tmp_path / "a.h5").write_bytes(content)
    batch = everything(touch(tmp_path))
    assert batch.observed[RGB].tolist() == [True, False, True, True]
    assert batch.observed[FORCE].all()
    assert len(held["image"]) == 5


def test_bad_files_are_counted_and_told(folder):
    root, _ = folder
    (root / "x.h5").write_bytes(b"nothing")
    (root / "y.h5").write_bytes(b"")
    (root / "readme.txt").write_text("")
    touch_factory.write(root / "z.h5", {"action": None})
    touch_factory.write(root / "zz.h5", side=12)
    with pytest.warns(UserWarning, match="4 files left out") as told:
        attempts = find_attempts(root, 8)
    assert [path.name for path in attempts.paths] == ["0.h5", "1.h5", "2.h5"]
    assert attempts.log.counts == {"damaged": 2, "without an array": 1, "of another shape": 1}
    assert "z.h5: action" in str(told[0].message)


def test_folders_without_use_are_refused(tmp_path):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="expected a folder of Vision&Touch's files"):
            find_attempts(root, 8)
    (tmp_path / "x.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected files that can be used; 1 files left out"):
        find_attempts(tmp_path, 8)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4]), st.floats(0, 0.99))
def test_depth_is_the_mean_over_readings_and_has_no_holes(seed, cell, holes):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.1, 1.9, (8 * cell, 8 * cell))
    hole = rng.random(depth.shape) < holes
    none = rng.choice([0.0, -1.0, 2.0, 5.0, np.nan, np.inf], depth.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = view_depth(np.where(hole, none, depth), 8)
    if hole.all():
        assert seen is None
        return
    assert seen.min() >= depth[~hole].min() - 1e-6
    assert seen.max() <= depth[~hole].max() + 1e-6
    whole = ~hole.reshape(8, cell, 8, cell).any((1, 3))
    mean = depth.reshape(8, cell, 8, cell).mean((1, 3))
    np.testing.assert_allclose(seen[0][whole], mean[whole], rtol=1e-5)


def test_a_constant_picture_stays_what_it_is():
    for value in (0, 1, 254, 255):
        assert (view_rgb(np.full((16, 16, 3), value, np.uint8), 4) == value).all()


@pytest.mark.parametrize("name", SENSORS)
def test_a_failing_sensor_is_random_and_the_others_are_as_they_were(folder, name):
    root, _ = folder
    clean, failed = everything(touch(root)), everything(touch(root, failing=Failing((name,))))
    for other in SENSORS:
        same = bool(torch.isclose(clean.data[other], failed.data[other]).all())
        assert same == (other != name)
    low, high = RANGES[name]
    assert low <= failed.data[name].min() < low + 0.1 * (high - low)
    assert failed.observed[name].all()


def test_failures_follow_from_seed_epoch_and_sample(folder):
    root, _ = folder
    failing = Failing(SENSORS, 0.5, 0.5)
    first, other = touch(root, failing=failing), touch(root, failing=failing, seed=1)
    backwards = first.batch(Draws(torch.arange(len(first)).flip(0)))
    torch.testing.assert_close(everything(first).data[FORCE], backwards.data[FORCE].flip(0), rtol=0, atol=0)
    assert not torch.equal(everything(first).data[FORCE], everything(first, epoch=1).data[FORCE])
    assert not torch.equal(everything(first).data[FORCE], everything(other).data[FORCE])


def test_a_failure_that_is_known_is_not_observed(folder):
    root, _ = folder
    batch = everything(touch(root, failing=Failing((DEPTH,), 0.5, known=True)))
    assert 0 < int(batch.observed[DEPTH].sum()) < len(batch.observed[DEPTH])
    assert (batch.data[DEPTH][~batch.observed[DEPTH]] == 0).all()
    assert batch.observed[RGB].all()


@given(st.integers(0, 100), st.floats(0, 1), st.integers(0, 99))
def test_a_share_of_the_values_is_replaced(count, share, seed):
    values = np.full((3, count, 1), 9.0, np.float32)
    found = replaced(values, share, (0.0, 1.0), np.random.default_rng(seed))
    changed = (found != 9).all(0)
    assert changed.sum() == (found != 9).any(0).sum() == round(share * count)
    assert (values == 9).all()


@pytest.mark.parametrize("options", [{"samples": 1.5}, {"values": -0.1}, {"sensors": ("sound",)}])
def test_failures_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        Failing(**options)
