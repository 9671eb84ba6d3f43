"""The radial Laplace distribution: normaliser, sampler, gradients, shapes."""

import math

import pyro
import pytest
import scipy.integrate
import scipy.stats
import torch

from pyro_mmvae.distributions.radial import RadialLaplace, log_radial_normaliser


def standard_error(values):
    return values.std() / math.sqrt(len(values))


def proposal(size, scale):
    """Independent Laplace values so wide that p / q is bounded, since |x|_1 <= sqrt(d) |x|_2."""
    loc = torch.zeros(size, dtype=torch.float64)
    return torch.distributions.Independent(torch.distributions.Laplace(loc, math.sqrt(size) * scale), 1)


def test_one_dimension_is_the_laplace_distribution():
    loc, value = torch.randn(5, 1, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    truth = torch.distributions.Laplace(loc, 0.7).log_prob(value).sum(-1)
    torch.testing.assert_close(RadialLaplace(loc, 0.7).log_prob(value), truth)


def test_normaliser_in_space_is_8_pi_b_cubed():
    b = torch.tensor(0.3, dtype=torch.float64)
    torch.testing.assert_close(log_radial_normaliser(b, 3).exp(), 8 * math.pi * b**3)


@pytest.mark.parametrize("scale", [0.2, 1.5])
def test_density_in_the_plane_integrates_to_one(scale):
    d = RadialLaplace(torch.tensor([0.1, -0.2], dtype=torch.float64), scale)

    def density(y, x):
        return d.log_prob(torch.tensor([x, y], dtype=torch.float64)).exp().item()

    # A quadrant from the centre outwards, where the density is smooth; the others are its mirror images.
    wide = 25 * scale
    integral, _ = scipy.integrate.dblquad(density, 0.1, 0.1 + wide, -0.2, -0.2 + wide, epsabs=1e-6, epsrel=1e-6)
    assert 4 * integral == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("event", "event_dim"), [((3,), 1), ((2, 3), 2), ((2, 2, 2), 3)])
def test_density_integrates_to_one_by_importance(event, event_dim):
    d = RadialLaplace(0.1 * torch.randn(event, dtype=torch.float64), 0.4, event_dim)
    q = proposal(math.prod(event), 0.4)
    flat = q.sample((200_000,))
    weights = (d.log_prob(d.loc + flat.reshape(-1, *event)) - q.log_prob(flat)).exp()
    assert standard_error(weights) < 0.02
    assert weights.mean().item() == pytest.approx(1, abs=4 * standard_error(weights).item())


@pytest.mark.parametrize("size", [1, 3, 12])
def test_sampler_draws_from_the_density(size):
    d = RadialLaplace(torch.randn(size, dtype=torch.float64), 0.3)
    sample = d.rsample((40_000,))
    radius = torch.linalg.vector_norm(sample - d.loc, dim=-1)
    assert scipy.stats.kstest(radius.numpy(), scipy.stats.gamma(size, scale=0.3).cdf).pvalue > 1e-3
    log_prob = d.log_prob(sample)
    assert -log_prob.mean() == pytest.approx(d.entropy().item(), abs=4 * standard_error(log_prob).item())
    # A uniform direction: the share of points with a positive coordinate, and each coordinate's variance.
    positive = ((sample > d.loc).double().mean(0) - 0.5).abs()
    assert (positive < 4 * 0.5 / 200).all()
    torch.testing.assert_close(sample.var(0), d.variance, rtol=0.1, atol=0)
    torch.testing.assert_close(sample.mean(0), d.mean, atol=4 * math.sqrt(d.variance[0] / 40_000), rtol=0)


def test_samples_are_differentiable():
    loc, scale = torch.randn(4, 3, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    sample = RadialLaplace(loc, scale).rsample()
    distance = torch.linalg.vector_norm(sample - loc.detach(), dim=-1).detach()
    torch.linalg.vector_norm(sample - loc, dim=-1).sum().backward()
    torch.testing.assert_close(scale.grad, distance.sum() / 0.5)
    torch.testing.assert_close(loc.grad, torch.zeros_like(loc), atol=1e-6, rtol=0)


def test_gradients():
    loc, value = (torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    scale = torch.rand(2, dtype=torch.float64).add(0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b, c: RadialLaplace(a, b).log_prob(c), (loc, scale, value))


def test_gradient_at_the_centre_is_zero():
    loc = torch.randn(2, 3, requires_grad=True)
    RadialLaplace(loc, 0.1).log_prob(loc.detach()).sum().backward()
    assert torch.equal(loc.grad, torch.zeros_like(loc))


def test_shapes_expand_and_mask():
    d = RadialLaplace(torch.randn(5, 4, 3), torch.rand(2, 1, 1) + 0.1)
    assert (d.batch_shape, d.event_shape) == ((2, 5, 4), (3,))
    value = d.sample()
    assert value.shape == (2, 5, 4, 3)
    wide = d.expand((7, 2, 5, 4))
    assert wide.sample((6,)).shape == (6, 7, 2, 5, 4, 3)
    torch.testing.assert_close(wide.log_prob(value), d.log_prob(value).expand(7, 2, 5, 4))
    mask = torch.tensor([True, False, True, True])
    masked = d.mask(mask).log_prob(value)
    assert torch.equal(masked[..., 1], torch.zeros(2, 5))
    torch.testing.assert_close(masked[..., 0], d.log_prob(value)[..., 0])
    assert RadialLaplace(torch.zeros(5, 4, 3), 1.0).to_event(1).log_prob(torch.zeros(4, 3)).shape == (5,)


def test_is_a_pyro_site():
    with pyro.plate("data", 5):
        value = pyro.sample("x", RadialLaplace(torch.zeros(4, 3), 1.0, 2))
    assert value.shape == (5, 4, 3)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="event_dim"):
        RadialLaplace(torch.zeros(3), 1.0, 2)
    with pytest.raises(ValueError, match="scale"):
        RadialLaplace(torch.zeros(3), -1.0, validate_args=True)
