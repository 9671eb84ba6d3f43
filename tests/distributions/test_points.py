"""Densities of point clouds against quadrature, exact permanents and brute force."""

import itertools
import math

import pyro
import pytest
import scipy.integrate
import scipy.stats
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae.distributions import point_kernels
from pyro_mmvae.distributions.chamfer_emd_energy import ChamferEMDEnergy
from pyro_mmvae.distributions.point_mixture import PointMixture
from pyro_mmvae.distributions.shuffled_points import ShuffledPoints
from pyro_mmvae.pointclouds import chamfer_distance, earth_movers_distance

KERNELS = ["laplace", "gaussian"]


def points(*shape, seed=0, dtype=torch.float64):
    return 0.5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def distances(value, centres):
    return torch.linalg.vector_norm(value[..., :, None, :] - centres[..., None, :, :], dim=-1)


def log_kernel(distance, scale, kernel, size=3):
    if kernel == "gaussian":
        return -((distance / scale) ** 2) / 2 - size / 2 * math.log(2 * math.pi * scale**2)
    volume = 2 * math.pi ** (size / 2) / math.gamma(size / 2) * math.gamma(size) * scale**size
    return -distance / scale - math.log(volume)


def brute_mixture(value, centres, scale, kernel):
    pairs = log_kernel(distances(value, centres), scale, kernel, value.shape[-1])
    return (pairs.logsumexp(-1) - math.log(centres.shape[-2])).sum(-1)


def exact_shuffled(value, centres, scale):
    """log of the permanent of kernels / N!, by enumeration."""
    pairs = log_kernel(distances(centres, value), scale, "laplace", value.shape[-1])
    count = pairs.shape[-1]
    orders = itertools.permutations(range(count))
    terms = torch.stack([pairs[..., torch.arange(count), list(p)].sum(-1) for p in orders])
    return terms.logsumexp(0) - math.lgamma(count + 1)


# -- mixture


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.005, 0.1, 3.0])
def test_mixture_is_that_of_brute_force(kernel, scale):
    value, centres = points(2, 30, 3, seed=1), points(2, 20, 3, seed=2)
    truth = brute_mixture(value, centres, scale, kernel)
    torch.testing.assert_close(PointMixture(centres, scale, kernel, 30).log_prob(value), truth)
    single = PointMixture(centres.float(), scale, kernel, 30).log_prob(value.float())
    torch.testing.assert_close(single.double(), truth, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [1, 2])
def test_mixture_integrates_to_one(kernel, size):
    d = PointMixture(points(3, size), 0.3, kernel, num_points=1)
    grid = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    if size == 1:
        density = d.log_prob(grid[:, None, None]).exp()
        # The Laplace density has a kink at each centre, hence no better than the square of the step.
        assert scipy.integrate.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)
    else:
        plane = torch.cartesian_prod(grid[::4], grid[::4])[:, None, :]
        density = d.log_prob(plane).exp().reshape(401, 401)
        inner = scipy.integrate.trapezoid(density, grid[::4], axis=1)
        assert scipy.integrate.trapezoid(inner, grid[::4]) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mixture_of_clouds_in_space_integrates_to_one(kernel):
    d = PointMixture(points(3, 3), 0.4, kernel, num_points=2)
    # Independent Laplace values with |x|_1 / 1 <= |x| / 0.4, so that the weights are bounded.
    q = torch.distributions.Laplace(torch.zeros(2, 3, dtype=torch.float64), 1.0).expand((2, 3))
    value = q.sample((300_000,))
    weights = (d.log_prob(value) - q.log_prob(value).sum((-1, -2))).exp()
    error = weights.std().item() / math.sqrt(len(weights))
    assert error < 0.02
    assert weights.mean().item() == pytest.approx(1, abs=4 * error)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mixture_sampler_draws_from_the_density(kernel):
    centres = torch.tensor([[-1.0], [0.2], [0.5]], dtype=torch.float64)
    d = PointMixture(centres, 0.3, kernel, num_points=20_000)
    family = scipy.stats.laplace if kernel == "laplace" else scipy.stats.norm
    value = d.sample().squeeze(-1).numpy()

    def cdf(x):
        return sum(family(c, 0.3).cdf(x) for c in centres.flatten().tolist()) / 3

    assert scipy.stats.kstest(value, cdf).pvalue > 1e-3


@pytest.mark.parametrize("kernel", KERNELS)
def test_mixture_sampler_in_space_has_the_entropy_of_the_density(kernel):
    d = PointMixture(points(4, 3), 0.2, kernel, num_points=1)
    own = -d.log_prob(d.sample((100_000,)))
    q = torch.distributions.Laplace(torch.zeros(1, 3, dtype=torch.float64), 0.7).expand((1, 3))
    value = q.sample((300_000,))
    log_p = d.log_prob(value)
    weighted = -log_p * (log_p - q.log_prob(value).sum((-1, -2))).exp()
    error = math.hypot(own.std() / len(own) ** 0.5, weighted.std() / len(weighted) ** 0.5)
    assert error < 0.05
    assert own.mean().item() == pytest.approx(weighted.mean().item(), abs=4 * error)


def test_mixture_samples_are_differentiable():
    centres, scale = points(5, 3).requires_grad_(), torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    sample = PointMixture(centres, scale, num_points=1000).rsample()
    (sample.mean(0) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    # Each point moves with its centre, and a fifth of the points belongs to each.
    shares = centres.grad[:, 0]
    torch.testing.assert_close(shares.sum().item(), 1.0)
    assert (shares > 0.1).all()
    torch.testing.assert_close(centres.grad[:, 2], 3 * shares)
    assert torch.isfinite(scale.grad)


def test_mixture_lies_within_log_m_of_its_hard_limit():
    value, centres = points(4, 30, 3, seed=1), points(4, 20, 3, seed=2)
    for scale in (0.01, 0.1, 1.0):
        nearest = distances(value, centres).amin(-1)
        hard = (log_kernel(nearest, scale, "laplace") - math.log(20)).sum(-1)
        soft = PointMixture(centres, scale, num_points=30).log_prob(value)
        assert (hard <= soft + 1e-9).all()
        assert (soft <= hard + 30 * math.log(20) + 1e-9).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_mixture_gradients(kernel):
    value, centres = points(2, 4, 3, seed=1).requires_grad_(), points(2, 5, 3, seed=2).requires_grad_()
    scale = torch.tensor([0.3, 0.8], dtype=torch.float64, requires_grad=True)

    def log_prob(v, c, s):
        return PointMixture(c, s, kernel, 4).log_prob(v)

    assert torch.autograd.gradcheck(log_prob, (value, centres, scale))


@pytest.mark.parametrize("kernel", KERNELS)
def test_mixture_gradient_at_coincident_points_is_finite(kernel):
    centres = points(6, 3, dtype=torch.float32).requires_grad_()
    PointMixture(centres, 0.01, kernel).log_prob(centres.detach()).backward()
    assert torch.isfinite(centres.grad).all()


@pytest.mark.parametrize(("chunk", "kept"), [(7, 10**9), (100, 10**9), (7, 0), (100, 0), (10**9, 0)])
def test_mixture_in_chunks_is_the_same(chunk, kept, monkeypatch):
    value, centres = points(3, 6, 3, seed=1), points(3, 5, 3, seed=2)

    def evaluate():
        c, s = centres.clone().requires_grad_(), torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
        result = PointMixture(c, s, num_points=6).log_prob(value)
        result.sum().backward()
        return result.detach(), c.grad, s.grad

    whole = evaluate()
    monkeypatch.setattr(point_kernels, "_CPU_PAIRS", chunk)
    monkeypatch.setattr(point_kernels, "_KEPT_PAIRS", kept)
    torch.testing.assert_close(evaluate(), whole)


@pytest.mark.parametrize("kept", [0, 10**9])
def test_mixture_in_chunks_without_data(kept, monkeypatch):
    monkeypatch.setattr(point_kernels, "_DEVICE_PAIRS", 7)
    monkeypatch.setattr(point_kernels, "_KEPT_PAIRS", kept)
    with FakeTensorMode(), torch.device("cuda"), pyro.validation_enabled(False):
        fake = PointMixture(torch.randn(2, 3, 5, 3, requires_grad=True), 0.1).log_prob(torch.randn(3, 5, 3))
        assert (fake.shape, fake.device.type) == ((2, 3), "cuda")
    with torch.device("meta"), pyro.validation_enabled(False):
        centres = torch.randn(2, 3, 5, 3, requires_grad=True)
        PointMixture(centres, 0.1).log_prob(torch.randn(3, 5, 3)).sum().backward()
    assert centres.grad.shape == centres.shape


def test_fast_logsumexp():
    value = 300 * torch.randn(50, 40)
    torch.testing.assert_close(point_kernels.fast_logsumexp(value), value.logsumexp(-1))
    value = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(point_kernels.fast_logsumexp, value)


def test_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel"):
        PointMixture(points(3, 3), 0.1, "cauchy")


# -- shuffled points


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 10.0])
def test_shuffled_bound_lies_within_log_n_factorial_below_the_permanent(count, scale):
    value, centres = points(8, count, 3, seed=1), points(8, count, 3, seed=2)
    bound, exact = ShuffledPoints(centres, scale).log_prob(value), exact_shuffled(value, centres, scale)
    assert (bound <= exact + 1e-9).all()
    assert (exact <= bound + math.lgamma(count + 1) + 1e-9).all()


def test_shuffled_bound_is_tight_for_small_noise():
    centres = points(4, 5, 3)
    d = ShuffledPoints(centres, 0.005)
    value = d.sample()
    torch.testing.assert_close(d.log_prob(value), exact_shuffled(value, centres, 0.005), atol=1e-6, rtol=0)


def test_shuffled_bound_has_less_than_unit_mass():
    centres = torch.tensor([[-0.3], [0.4]], dtype=torch.float64)
    grid = torch.linspace(-7, 7, 101, dtype=torch.float64)
    plane = torch.cartesian_prod(grid, grid)[:, :, None]

    def mass(log_prob):
        inner = scipy.integrate.trapezoid(log_prob.exp().reshape(101, 101), grid, axis=1)
        return scipy.integrate.trapezoid(inner, grid)

    d = ShuffledPoints(centres, 0.5)
    assert mass(exact_shuffled(plane, centres, 0.5)) == pytest.approx(1, abs=1e-2)
    assert 0.5 < mass(d.log_prob(plane)) < 0.99


def test_shuffled_sampler_uses_every_centre_once_and_every_order():
    centres = points(3, 3)
    sample = ShuffledPoints(centres, 1e-4).sample((6000,))
    order = distances(sample, centres).argmin(-1)
    assert torch.equal(order.sort(-1).values, torch.arange(3).expand(6000, 3))
    counts = torch.unique(order, dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3
    # The mean length of the noise is 3 b; its standard deviation sqrt(3) b.
    assert distances(sample, centres).amin(-1).mean().item() == pytest.approx(3e-4, abs=4e-4 * 1.8 / 18000**0.5)


def test_shuffled_gradients():
    value, centres = points(2, 4, 3, seed=1).requires_grad_(), points(2, 4, 3, seed=2).requires_grad_()
    scale = torch.tensor([0.3, 0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, c, s: ShuffledPoints(c, s).log_prob(v), (value, centres, scale))


# -- energy


def test_energy_is_minus_the_weighted_distances():
    value, centres = points(2, 3, 6, 3, seed=1), points(3, 6, 3, seed=2)
    energy = 2 * chamfer_distance(centres, value) + 0.5 * earth_movers_distance(centres, value)
    torch.testing.assert_close(ChamferEMDEnergy(centres, 2, 0.5).log_prob(value), -energy)


def test_energy_without_emd_takes_clouds_of_another_size():
    value, centres = points(5, 3, seed=1), points(6, 3, seed=2)
    d = ChamferEMDEnergy(centres, emd_weight=0, num_points=5)
    assert d.event_shape == (5, 3)
    torch.testing.assert_close(d.log_prob(value), -chamfer_distance(centres, value))
    with pytest.raises(ValueError, match="equal size"):
        ChamferEMDEnergy(centres, num_points=5)


def test_energy_has_no_sampler():
    with pytest.raises(NotImplementedError, match="energy"):
        ChamferEMDEnergy(points(6, 3)).sample()
    assert not ChamferEMDEnergy.normalised


# -- all of them


@pytest.mark.parametrize("family", [PointMixture, ShuffledPoints, ChamferEMDEnergy])
def test_order_of_points_does_not_matter_and_shapes_fit(family):
    args = (points(3, 6, 3, seed=2),) if family is ChamferEMDEnergy else (points(3, 6, 3, seed=2), 0.3)
    d = family(*args)
    value, order = points(3, 6, 3, seed=1), torch.randperm(6)
    log_prob = d.log_prob(value)
    torch.testing.assert_close(d.log_prob(value[:, order]), log_prob)
    assert (d.batch_shape, d.event_shape) == ((3,), (6, 3))
    wide = d.expand((2, 3))
    assert isinstance(wide, family)
    assert (wide.batch_shape, wide.mean.shape) == ((2, 3), (2, 3, 6, 3))
    torch.testing.assert_close(wide.log_prob(value), log_prob.expand(2, 3))
    masked = d.mask(torch.tensor([True, False, True])).log_prob(value)
    torch.testing.assert_close(masked, log_prob * torch.tensor([1.0, 0.0, 1.0]))
    if d.has_rsample:
        assert wide.rsample((4,)).shape == (4, 2, 3, 6, 3)
    with pytest.raises(ValueError, match="centres"):
        family(torch.zeros(3), *args[1:])
