"""Which samples each sensor spoils, and how that is told."""

import math

import numpy as np
import pytest
import torch
from rhd_factory import write_set

from pyro_mmvae.data.samples import Draw
from pyro_mmvae.data.sensor_noise import SENSORS, SensorNoise
from pyro_mmvae.hands.rhd import RHD, collate
from pyro_mmvae.hands.rhd_format import sample_paths

NUMBER = 24


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rhd")
    write_set(folder, "training", NUMBER)
    return folder


def load(root, **options):
    defaults = {"image_size": 16, "num_points": 16, "modalities": ("rgb", "cloud", "pose"), "progress": False}
    return RHD(root, "training", **(defaults | options))


def batch_of(dataset, epoch=0):
    return collate([dataset[Draw(index, epoch)] for index in range(len(dataset))])


def flags(noise, seed=0, number=4000):
    rows = [noise.spoils(seed, index) for index in range(number)]
    return np.array([[row[sensor] for sensor in SENSORS] for row in rows])


@pytest.mark.parametrize("shares", [0.25, {"rgb": 0.2, "cloud": 0.7}])
def test_each_sensor_spoils_its_share_independently(shares):
    hits = flags(SensorNoise(0.5, 0.1, shares))
    wanted = np.array([shares[s] if isinstance(shares, dict) else shares for s in SENSORS])
    np.testing.assert_allclose(hits.mean(0), wanted, atol=4 * 0.5 / math.sqrt(len(hits)))
    assert hits.all(1).mean() == pytest.approx(wanted.prod(), abs=4 * 0.5 / math.sqrt(len(hits)))
    assert (flags(SensorNoise(0.5, 0.1, shares), seed=1) != hits).any()


def test_a_share_of_its_own_leaves_the_other_sensors_samples_as_they_were():
    one, two = flags(SensorNoise(0.5, 0.1, 0.4)), flags(SensorNoise(0.5, 0.1, {"rgb": 0.4, "cloud": 0.9}))
    assert (one[:, 0] == two[:, 0]).all()
    assert (one[:, 1] <= two[:, 1]).all()  # a larger share takes more samples, none of the others away


def test_equal_shares_by_name_are_one_share(root):
    noise = {"pixel_corruption": 0.5, "cloud_noise": 0.1}
    one = batch_of(load(root, corrupted_share=0.5, **noise))
    two = batch_of(load(root, corrupted_share={"cloud": 0.5, "rgb": 0.5}, **noise))
    for name, value in one.batch.data.items():
        assert torch.equal(value, two.batch.data[name])


@pytest.mark.parametrize("share", [0.5, {"rgb": 0.3, "cloud": 0.6}, {"rgb": 0, "cloud": 1}])
def test_the_batch_tells_what_was_corrupted(root, share):
    clean = batch_of(load(root))
    noisy = batch_of(load(root, pixel_corruption=1, cloud_noise=0.1, corrupted_share=share))
    for name in SENSORS:
        changed = (clean.batch.data[name] != noisy.batch.data[name]).flatten(1).any(1)
        assert torch.equal(noisy.corrupted[name], changed)
        assert not clean.corrupted[name].any()
    again = batch_of(load(root, pixel_corruption=1, cloud_noise=0.1, corrupted_share=share), epoch=5)
    assert all(torch.equal(again.corrupted[name], noisy.corrupted[name]) for name in SENSORS)


def test_only_sensors_that_are_asked_for_are_told(root):
    noise = {"pixel_corruption": 1, "cloud_noise": 0.1}
    assert batch_of(load(root, modalities=("pose",), **noise)).corrupted == {}
    assert list(batch_of(load(root, modalities=("cloud", "pose"), **noise)).corrupted) == ["cloud"]


def test_what_is_not_observed_is_not_corrupted(tmp_path):
    write_set(tmp_path, number=2)
    sample_paths(tmp_path, "training", 1).depth.unlink()
    made = batch_of(load(tmp_path, cloud_noise=0.1))
    assert made.corrupted["cloud"].tolist() == [True, False]


def test_an_empty_batch_has_no_flags(tmp_path):
    write_set(tmp_path, number=2)
    dataset = load(tmp_path)
    for index in range(2):
        sample_paths(tmp_path, "training", index).color.write_bytes(b"")
    made = batch_of(dataset)
    assert {name: tuple(value.shape) for name, value in made.corrupted.items()} == {"rgb": (0,), "cloud": (0,)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixel_corruption": 1.5}, r"pixel_corruption: expected a share in \[0, 1\]"),
        ({"pixel_corruption": math.nan}, r"pixel_corruption: expected a share in \[0, 1\]"),
        ({"cloud_noise": -0.1}, "cloud_noise: expected a standard deviation"),
        ({"cloud_noise": math.nan}, "cloud_noise: expected a standard deviation"),
        ({"cloud_noise": math.inf}, "cloud_noise: expected a standard deviation"),
        ({"corrupted_share": -0.1}, r"corrupted_share: expected a share in \[0, 1\]"),
        ({"corrupted_share": math.nan}, r"corrupted_share: expected a share in \[0, 1\]"),
        ({"corrupted_share": {"rgb": 2}}, "corrupted_share of 'rgb': expected a share"),
        ({"corrupted_share": {"cloud": math.nan}}, "corrupted_share of 'cloud': expected a share"),
        ({"corrupted_share": {"pixels": 0.1}}, r"unknown sensors \['pixels'\]"),
        ({"corrupted_share": {"rgb": 0.1}, "cloud_noise": 0.1}, r"expected a share of \['cloud'\]"),
    ],
)
def test_options_are_checked_before_any_file_is_read(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **options)
