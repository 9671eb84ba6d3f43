import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyro_mmvae.data.corruption import corrupt_pixels, noise_cloud


@given(st.floats(0, 1), st.sampled_from([np.uint8, np.float32]))
def test_the_share_of_pixels_changes_and_no_other(share, dtype):
    image = np.full((20, 30, 3), 2, dtype=dtype)  # 2 is no colour in [0, 1]
    if dtype is np.uint8:
        image[:] = 77
    corrupted = corrupt_pixels(image, share, np.random.default_rng(0))
    changed = (corrupted != image).any(-1).sum()
    assert (image == image[0, 0, 0]).all()
    assert corrupted.dtype == dtype
    assert abs(changed - round(share * 600)) <= (0 if dtype is np.float32 else 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_are_uniform(dtype):
    corrupted = corrupt_pixels(np.zeros((100, 100, 3), dtype), 1.0, np.random.default_rng(1)).astype(float)
    unit = corrupted / 255 if dtype is np.uint8 else corrupted
    assert unit.mean() == pytest.approx(0.5, abs=0.01)
    assert unit.var() == pytest.approx(1 / 12, abs=0.003)
    assert abs(np.corrcoef(unit.reshape(-1, 3).T)[0, 1]) < 0.05


def test_cloud_noise_has_its_deviation():
    cloud = np.random.default_rng(0).normal(size=(20000, 3)).astype(np.float32)
    noise = noise_cloud(cloud, 0.3, np.random.default_rng(1)) - cloud
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise.std(0), 0.3, rtol=0.03)
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.01)


def test_no_noise_is_the_same():
    cloud, image = np.ones((5, 3)), np.ones((4, 4, 3))
    np.testing.assert_array_equal(noise_cloud(cloud, 0, np.random.default_rng(0)), cloud)
    np.testing.assert_array_equal(corrupt_pixels(image, 0, np.random.default_rng(0)), image)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_are_checked(share):
    with pytest.raises(ValueError, match=r"expected a share in \[0, 1\]"):
        corrupt_pixels(np.zeros((2, 2, 3)), share, np.random.default_rng(0))


@pytest.mark.parametrize("std", [-1, float("nan"), float("inf")])
def test_deviations_are_checked(std):
    with pytest.raises(ValueError, match="expected a standard deviation"):
        noise_cloud(np.zeros((2, 3)), std, np.random.default_rng(0))
