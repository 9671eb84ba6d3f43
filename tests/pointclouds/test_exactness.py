"""Distances are right wherever the clouds are and whatever their size, on every path of the code."""

import itertools
import sys
import types
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pyro_mmvae.distributions.point_mixture import PointMixture
from pyro_mmvae.pointclouds import chamfer_distance, earth_movers_distance, matching, nearest_neighbours, neighbours
from pyro_mmvae.pointclouds.pairs import distances, distances_by_coordinates

DTYPES = [torch.float32, torch.float64]
SEARCHES = {  # what makes the search go each of its ways
    "all pairs": {},
    "clouds in chunks": {"_CPU_PAIRS": 200},
    "rows in chunks": {"_CPU_PAIRS": 10},
    "trees": {"_TREE_PAIRS": 0},
}


@contextmanager
def search(way):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SEARCHES[way].items():
            patch.setattr(neighbours, name, value)
        yield


@st.composite
def cloud_pairs(draw, largest=12, equal=False):
    """Two clouds of some size, some way from the origin along any axes, some of whose points coincide or nearly."""
    dtype = draw(st.sampled_from(DTYPES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    scale, nearness = (10.0 ** draw(st.floats(-6, 6)) for _ in range(2))
    offset = torch.tensor([draw(st.sampled_from([-1, 0, 1])) * 10.0 ** draw(st.floats(-3, 6)) for _ in range(3)])
    n = draw(st.integers(1, largest))
    m = n if equal else draw(st.integers(1, largest))
    x, y, noise = (torch.randn(2, size, 3, dtype=torch.float64, generator=generator) for size in (n, m, m))
    if draw(st.booleans()):  # next to points of x, as decoded clouds are late in training
        y = x[:, torch.randint(n, (m,), generator=generator)] + min(nearness, 1.0) * noise
    return (scale * x + offset).to(dtype), (scale * y + offset).to(dtype)


def tolerance(dtype):
    return 16 * torch.finfo(dtype).eps


def pairwise(x, y):
    return torch.linalg.vector_norm(x.double()[..., :, None, :] - y.double()[..., None, :, :], dim=-1)


def close(result, truth, dtype):
    torch.testing.assert_close(result.detach().double(), truth, rtol=tolerance(dtype), atol=0)


@pytest.mark.parametrize("way", SEARCHES)
@settings(max_examples=60, deadline=None)
@given(pair=cloud_pairs())
def test_neighbours_and_chamfer_distance(way, pair):
    x, y = pair
    truth = pairwise(x, y)
    x.requires_grad_()
    with search(way):
        found, value = nearest_neighbours(x, y), chamfer_distance(x, y)
    # Of points at the same distance, to within rounding, either may be the nearest.
    reached = truth.gather(-1, found[..., None])[..., 0]
    assert (reached <= truth.amin(-1) * (1 + tolerance(x.dtype))).all()
    close(value, truth.amin(-1).mean(-1) + truth.amin(-2).mean(-1), x.dtype)
    value.sum().backward()
    assert x.grad.isfinite().all()


def on_device(cost):
    return torch.stack([torch.as_tensor(linear_sum_assignment(c.numpy())[1]) for c in cost])


@pytest.mark.parametrize("solver", ["scipy", "torch"])
@settings(max_examples=60, deadline=None)
@given(pair=cloud_pairs(largest=5, equal=True))
def test_earth_movers_distance(solver, pair):
    x, y = pair
    truth, rows = pairwise(x, y), range(x.shape[-2])
    best = torch.stack([truth[:, rows, order].mean(-1) for order in itertools.permutations(rows)]).amin(0)
    x.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        # The optional package runs on CUDA only; scipy stands in for it behind the distances of an accelerator.
        module = types.ModuleType("torch_linear_assignment")
        module.batch_linear_assignment = on_device
        patch.setitem(sys.modules, "torch_linear_assignment", module)
        patch.setattr(matching, "distances", distances_by_coordinates)
        patch.setattr(matching, "_chosen", lambda *_: solver)
        value = earth_movers_distance(x, y)
    close(value, best, x.dtype)
    value.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("function", [distances, distances_by_coordinates])
@settings(max_examples=60, deadline=None)
@given(pair=cloud_pairs())
def test_all_distances(function, pair):
    x, y = pair
    result = function(x.requires_grad_(), y)
    found = result.detach().double() * (pairwise(x.detach(), y) > 0)  # 0 is the root of the smallest number on devices
    close(found, pairwise(x.detach(), y), x.dtype)
    result.sum().backward()
    assert x.grad.isfinite().all()


# Near the ends of the range squares overflow and vanish; a power of two only moves the exponent.
EXTREMES = [(torch.float32, exponent) for exponent in (-115, -70, 70, 115)]
EXTREMES += [(torch.float64, exponent) for exponent in (-950, -520, 520, 950)]


@pytest.mark.parametrize(("dtype", "exponent"), EXTREMES)
@pytest.mark.parametrize("way", SEARCHES)
@pytest.mark.parametrize("distance", [chamfer_distance, earth_movers_distance])
def test_distances_scale_with_the_clouds_over_the_range_of_the_dtype(distance, way, dtype, exponent):
    x, y = torch.randn(2, 3, 9, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    factor = torch.tensor(2.0, dtype=dtype) ** exponent
    results = []
    for scale in (torch.ones_like(factor), factor):
        leaf = (scale * x).requires_grad_()
        with search(way):
            value = distance(leaf, scale * y)
        value.sum().backward()
        results.append((value.detach() / scale, leaf.grad))
    (value, gradient), (scaled_value, scaled_gradient) = results
    assert torch.equal(scaled_value, value)
    assert torch.equal(scaled_gradient, gradient)


@pytest.mark.parametrize("kernel", ["laplace", "gaussian"])
@pytest.mark.parametrize(("dtype", "exponent"), EXTREMES)
def test_mixture_density_over_the_range_of_the_dtype(kernel, dtype, exponent):
    x, y = torch.randn(2, 2, 7, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    factor = torch.tensor(2.0, dtype=dtype) ** exponent

    def log_prob(scale):
        centres = (scale * x).requires_grad_()
        value = PointMixture(centres, 0.3 * scale, kernel, 7).log_prob(scale * y)
        value.sum().backward()
        return value.detach(), centres.grad * scale

    (value, gradient), (scaled_value, scaled_gradient) = log_prob(torch.ones_like(factor)), log_prob(factor)
    torch.testing.assert_close(scaled_value + 7 * 3 * factor.log(), value, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(scaled_gradient, gradient)
