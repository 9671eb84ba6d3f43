"""PSNR and SSIM against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pyro_mmvae.metrics.pictures import psnr, ssim

TRUE = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
NOISY = (TRUE + 0.1 * torch.randn(TRUE.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


def test_they_are_scikit_images():
    for number, (found, true) in enumerate(zip(NOISY.numpy(), TRUE.numpy(), strict=True)):
        assert float(psnr(NOISY, TRUE)[number]) == pytest.approx(peak_signal_noise_ratio(true, found), abs=1e-3)
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        expected = structural_similarity(true, found, channel_axis=0, **options)
        # scikit-image leaves out a rim where windows reach beyond the picture.
        assert float(ssim(NOISY, TRUE)[number]) == pytest.approx(expected, abs=0.02)


def test_a_picture_is_like_itself():
    np.testing.assert_allclose(ssim(TRUE, TRUE), 1, atol=1e-5)
    np.testing.assert_allclose(psnr(TRUE, TRUE), 100)
    assert (ssim(NOISY, TRUE) < 0.99).all()


def test_values_beyond_the_range_count_as_its_ends():
    assert torch.equal(psnr(2 * TRUE - 0.5, TRUE), psnr((2 * TRUE - 0.5).clamp(0, 1), TRUE))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        psnr(TRUE, TRUE[:2])
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim(TRUE[..., :8, :8], TRUE[..., :8, :8])
