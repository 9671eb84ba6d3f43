"""Many Bernoulli values with few logarithms: the same numbers as PyTorch's, one by one."""

import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyro_mmvae.distributions.independent_bernoulli import IndependentBernoulli


def both(logits, event_dim):
    return IndependentBernoulli(logits, event_dim), dist.Bernoulli(logits=logits).to_event(event_dim)


@settings(deadline=None, max_examples=60)
@given(
    event=st.lists(st.integers(1, 131), min_size=0, max_size=2),
    lead=st.lists(st.integers(1, 3), min_size=0, max_size=2),
    size=st.sampled_from([0.0, 1.0, 10.0, 300.0]),
    seed=st.integers(0, 999),
)
def test_the_same_density_and_gradient_as_value_by_value(event, lead, size, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = size * torch.randn((*lead, *event), generator=generator, dtype=torch.float64)
    value = torch.randint(2, (*lead, *event), generator=generator).double()
    logits.requires_grad_()
    ours, theirs = both(logits, len(event))
    assert ours.batch_shape == theirs.batch_shape
    assert ours.event_shape == theirs.event_shape
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    gradients = [torch.autograd.grad(d.log_prob(value).sum(), logits)[0] for d in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("size", [784, 997, 12_288])
@pytest.mark.parametrize("spread", [0.01, 3.0, 80.0])
def test_single_precision(size, spread):
    """Hundreds of probabilities near one half must not underflow, nor those near one vanish."""
    logits, value = spread * torch.randn(5, size), torch.randint(2, (5, size)).float()
    exact = dist.Bernoulli(logits=logits.double()).to_event(1).log_prob(value.double())
    torch.testing.assert_close(IndependentBernoulli(logits, 1).log_prob(value).double(), exact, rtol=1e-6, atol=1e-3)
    right = logits.abs() * (2 * value - 1)
    exact = dist.Bernoulli(logits=right.double()).to_event(1).log_prob(value.double())
    found = IndependentBernoulli(right, 1).log_prob(value).double()
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=6e-8 * size)


def test_gradients_of_gradients_and_of_values():
    logits = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    value = torch.rand(3, 1, 6, dtype=torch.float64, requires_grad=True)

    def log_prob(logits, value):
        return IndependentBernoulli(logits, 1, validate_args=False).log_prob(value)

    assert torch.autograd.gradcheck(log_prob, (logits, value))
    assert torch.autograd.gradgradcheck(log_prob, (logits, value))


def test_draws_have_no_dimension_in_values():
    logits, value = torch.randn(7, 4, 10), torch.randint(2, (4, 10)).float()
    ours, theirs = both(logits, 1)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))


def test_vmap():
    logits, value = torch.randn(5, 10), torch.randint(2, (5, 10)).float()

    def one(logits, value):
        return IndependentBernoulli(logits, 1, validate_args=False).log_prob(value)

    torch.testing.assert_close(torch.vmap(one)(logits, value), one(logits, value))


def test_grey_values_are_refused_as_elsewhere():
    with pytest.raises(ValueError, match="within the support"):
        IndependentBernoulli(torch.zeros(3), 1, validate_args=True).log_prob(torch.full((3,), 0.5))


def test_expand():
    base = IndependentBernoulli(torch.randn(4), 1)
    wide = base.expand((3,))
    assert isinstance(wide, IndependentBernoulli)
    assert wide.batch_shape == (3,)
    value = torch.tensor([0.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(wide.log_prob(value), base.log_prob(value).expand(3))
