"""The matrix of correlations; the penalty on it is tested with the objectives."""

import numpy as np
import pytest
import torch

from pyro_mmvae.cross_correlation import cross_correlation


def latents(size=40, first=3, second=5):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(size, first + second, generator=generator, dtype=torch.float64)
    return values[:, :first] * 3 + 7, values[:, first:] + 0.5 * values[:, :1]


def test_matrix_is_numpys():
    first, second = latents()
    expected = np.corrcoef(first.T, second.T)[:3, 3:]
    torch.testing.assert_close(cross_correlation(first, second), torch.from_numpy(expected), rtol=1e-6, atol=1e-9)


def test_samples_that_do_not_count_are_left_out():
    first, second = latents()
    both = torch.arange(40) % 3 > 0
    spoilt = torch.where(both[:, None], first, 1e3)
    torch.testing.assert_close(cross_correlation(spoilt, second, both), cross_correlation(first[both], second[both]))


def test_a_latent_with_itself_has_ones_on_the_diagonal():
    first, _ = latents()
    torch.testing.assert_close(cross_correlation(first, -2 * first).diagonal(), -torch.ones(3, dtype=torch.float64))


def test_a_dimension_that_does_not_vary_has_none():
    first, second = latents()
    first[:, 1] = 2.0
    found = cross_correlation(first, second)
    assert torch.equal(found[1], torch.zeros(5, dtype=torch.float64))
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(4, 2), torch.zeros(3, 2)), r"\(4, 2\) and \(3, 2\)"),
        ((torch.zeros(4), torch.zeros(4)), "same B > 1"),
        ((torch.zeros(1, 2), torch.zeros(1, 2)), "same B > 1"),
        ((torch.zeros(4, 2), torch.zeros(4, 2), torch.ones(3, dtype=torch.bool)), "expected both"),
    ],
)
def test_misuse_is_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        cross_correlation(*arguments)
