"""Chamfer and earth mover's distance against brute force, and the laws that they obey."""

import itertools
import math
import multiprocessing
import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae.pointclouds import (
    chamfer_distance,
    earth_movers_distance,
    match_points,
    matching,
    nearest_neighbours,
    neighbours,
    pairs,
    threads,
)

DISTANCES = [chamfer_distance, earth_movers_distance]


def clouds(*shape, seed=0, dtype=torch.float32, scale=0.5):
    return scale * torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pairwise(x, y):
    return torch.linalg.vector_norm(x.double()[..., :, None, :] - y.double()[..., None, :, :], dim=-1)


def brute_chamfer(x, y):
    distance = pairwise(x, y)
    return distance.amin(-1).mean(-1) + distance.amin(-2).mean(-1)


def brute_emd(x, y):
    distance, count = pairwise(x, y), x.shape[-2]
    rows = torch.arange(count)
    totals = [distance[..., rows, list(p)].mean(-1) for p in itertools.permutations(range(count))]
    return torch.stack(totals).amin(0)


# -- values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 12), (64, 64), (500, 600)])
def test_chamfer_is_that_of_brute_force(n, m, dtype):
    x, y = clouds(3, n, seed=1, dtype=dtype), clouds(3, m, seed=2, dtype=dtype)
    result = chamfer_distance(x, y)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), brute_chamfer(x, y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_emd_is_the_best_of_all_permutations(n, dtype):
    x, y = clouds(2, 3, n, seed=1, dtype=dtype), clouds(2, 3, n, seed=2, dtype=dtype)
    result = earth_movers_distance(x, y)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), brute_emd(x, y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("budget", [40, 10**9])
def test_chunks_of_any_size_find_the_same_neighbours(budget, monkeypatch):
    x, y = clouds(5, 9, seed=1), clouds(5, 13, seed=2)
    monkeypatch.setattr(neighbours, "_CPU_PAIRS", budget)
    truth = pairwise(x, y)
    assert torch.equal(nearest_neighbours(x, y), truth.argmin(-1))
    forward, backward = neighbours.mutual_neighbours(x, y)
    assert torch.equal(forward, truth.argmin(-1))
    assert torch.equal(backward, truth.argmin(-2))


def test_trees_agree_with_all_distances():
    x, y = clouds(4, 50, seed=1), clouds(4, 60, seed=2)
    assert torch.equal(neighbours.kdtree_neighbours(x, y), nearest_neighbours(x, y))


@pytest.mark.parametrize("distance", DISTANCES)
def test_leading_dimensions_broadcast(distance):
    decoded, observed = clouds(2, 3, 4, 8, seed=1), clouds(4, 8, seed=2)
    result = distance(decoded, observed)
    assert result.shape == (2, 3, 4)
    torch.testing.assert_close(result[1, 2, 3], distance(decoded[1, 2, 3], observed[3]))
    assert distance(decoded[:, :, :0], observed[:0]).shape == (2, 3, 0)


@pytest.mark.parametrize("distance", DISTANCES)
def test_half_precision_and_autocast_change_nothing(distance):
    x, y = clouds(2, 16, seed=1).bfloat16(), clouds(2, 16, seed=2)
    truth = distance(x.float(), y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = distance(x, y)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, truth, rtol=0, atol=0)


# -- gradients


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradient_is_that_of_finite_differences(distance):
    x, y = (clouds(2, 7, seed=s, dtype=torch.float64).requires_grad_() for s in (1, 2))
    assert torch.autograd.gradcheck(distance, (x, y), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("n", [8, 600])
def test_gradient_at_coincident_points_is_zero(distance, n):
    x = clouds(2, n).requires_grad_()
    value = distance(x, x.detach().flip(-2))
    value.sum().backward()
    assert torch.equal(value, torch.zeros(2))
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_no_gradient_flows_through_search_and_matching():
    x = clouds(2, 5).requires_grad_()
    assert not nearest_neighbours(x, x).requires_grad
    assert not match_points(x, x).requires_grad


# -- laws


coordinates = st.integers(0, 10_000)


@settings(max_examples=25, deadline=None)
@given(seed=coordinates, n=st.integers(1, 12), m=st.integers(1, 12))
def test_order_of_points_and_of_arguments_does_not_matter(seed, n, m):
    x, y = clouds(n, seed=seed, dtype=torch.float64), clouds(m, seed=seed + 1, dtype=torch.float64)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(chamfer_distance(x[order], y), chamfer_distance(x, y))
    torch.testing.assert_close(chamfer_distance(y, x), chamfer_distance(x, y))
    z = clouds(n, seed=seed + 2, dtype=torch.float64)
    torch.testing.assert_close(earth_movers_distance(x[order], z), earth_movers_distance(x, z))
    torch.testing.assert_close(earth_movers_distance(z, x), earth_movers_distance(x, z))


@settings(max_examples=25, deadline=None)
@given(seed=coordinates, n=st.integers(1, 10), size=st.floats(0.01, 100))
def test_metric_laws(seed, n, size):
    x, y, z = (clouds(n, seed=seed + k, dtype=torch.float64, scale=size) for k in range(3))
    emd = earth_movers_distance
    tolerance = 1e-9 * size
    assert emd(x, z) <= emd(x, y) + emd(y, z) + tolerance
    # Every point's match is at least as far as its neighbour, in both directions.
    assert chamfer_distance(x, y) <= 2 * emd(x, y) + tolerance
    # Centres of mass cannot be further apart than points are carried.
    assert torch.linalg.vector_norm(x.mean(0) - y.mean(0)) <= emd(x, y) + tolerance
    torch.testing.assert_close(emd(3 * x, 3 * y), 3 * emd(x, y))
    torch.testing.assert_close(chamfer_distance(3 * x, 3 * y), 3 * chamfer_distance(x, y))


def test_translation_costs_its_length():
    x = clouds(3, 40, dtype=torch.float64)
    shift = torch.tensor([0.3, 0.0, -0.4], dtype=torch.float64)
    torch.testing.assert_close(earth_movers_distance(x, x + shift), torch.full((3,), 0.5, dtype=torch.float64))


# -- the matching


def test_matching_is_a_bijection_and_undoes_a_shuffle():
    x = clouds(4, 32)
    order = torch.stack([torch.randperm(32, generator=torch.Generator().manual_seed(s)) for s in range(4)])
    shuffled = x.gather(1, order[..., None].expand_as(x))
    match = match_points(x, shuffled)
    assert torch.equal(match, order.argsort(-1))


def test_solver_is_chosen_by_device_and_can_be_overridden(monkeypatch):
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(matching, "_device_solver_installed", lambda: True)
    assert matching._chosen(None, cuda) == "torch"
    assert matching._chosen("scipy", cuda) == "scipy"
    assert matching._chosen(None, cpu) == "scipy"
    with pytest.raises(ValueError, match="CUDA"):
        match_points(clouds(2, 3), clouds(2, 3), solver="torch")
    monkeypatch.setattr(matching, "_device_solver_installed", lambda: False)
    assert matching._chosen(None, cuda) == "scipy"
    with pytest.raises(ImportError, match="gpu-emd"):
        match_points(clouds(2, 3), clouds(2, 3), solver="torch")
    with pytest.raises(ValueError, match="expected a solver"):
        match_points(clouds(2, 3), clouds(2, 3), solver="magic")


def test_device_solver_is_asked_the_right_question(monkeypatch):
    # The optional package runs on CUDA only; a module of the same interface, solved by scipy, stands in for it.
    from scipy.optimize import linear_sum_assignment

    def solve(cost):
        assert torch.isfinite(cost).all()
        return torch.stack([torch.as_tensor(linear_sum_assignment(c.numpy())[1]) for c in cost])

    stand_in = types.ModuleType("torch_linear_assignment")
    stand_in.batch_linear_assignment = solve
    monkeypatch.setitem(sys.modules, "torch_linear_assignment", stand_in)
    monkeypatch.setattr(matching, "_DEVICE_PAIRS", 100)
    x, y = clouds(5, 9, seed=1), clouds(5, 9, seed=2)
    assert torch.equal(matching.solve_matching(x, y, "torch"), match_points(x, y))


# -- errors


@pytest.mark.parametrize("distance", DISTANCES)
def test_bad_shapes_are_refused(distance):
    with pytest.raises(ValueError, match="expected clouds of shapes"):
        distance(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="expected clouds of shapes"):
        distance(torch.zeros(3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="at least one point"):
        distance(torch.zeros(2, 0, 3), torch.zeros(2, 0, 3))
    with pytest.raises(ValueError, match="do not broadcast"):
        distance(torch.zeros(2, 5, 3), torch.zeros(3, 5, 3))


def test_emd_of_clouds_of_different_size_is_refused():
    with pytest.raises(ValueError, match="equal size, got 4 and 5 points"):
        earth_movers_distance(clouds(4), clouds(5))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_emd_of_clouds_with_bad_coordinates_is_refused(bad):
    x = clouds(3, 4)
    x[1, 2, 0] = bad
    with pytest.raises(ValueError, match=r"1 of 3 point clouds .* \[1\]"):
        earth_movers_distance(x, clouds(3, 4))


def test_chamfer_of_small_clouds_passes_nan_on():
    x = clouds(3, 4)
    x[1, 2, 0] = math.nan
    assert chamfer_distance(x, clouds(3, 4)).isnan().tolist() == [False, True, False]


# -- without data, traced, in other processes


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("n", [8, 600])
def test_fake_cuda(distance, n):
    with FakeTensorMode(), torch.device("cuda"):
        x, y = torch.randn(2, 3, n, 3, requires_grad=True), torch.randn(3, n, 3)
        result = distance(x, y)
        assert result.shape == (2, 3)
        assert result.device.type == "cuda"


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("n", [8, 600])
def test_meta_backward(distance, n):
    with torch.device("meta"):
        x, y = torch.randn(2, 3, n, 3, requires_grad=True), torch.randn(3, n, 3)
        distance(x, y).sum().backward()
    assert x.grad.shape == x.shape


def test_operators_are_well_formed():
    x, y = clouds(2, 6, seed=1), clouds(2, 6, seed=2)
    torch.library.opcheck(neighbours.kdtree_neighbours, (x, y))
    torch.library.opcheck(matching.solve_matching, (x, y, "scipy"))


def test_compile_traces_without_a_break():
    def loss(x, y):
        return chamfer_distance(x, y).sum() + earth_movers_distance(x, y).sum()

    x, y = clouds(2, 6, seed=1).requires_grad_(), clouds(2, 6, seed=2)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, y), loss(x, y))


def _emd_in_child(x, y, queue):
    queue.put(earth_movers_distance(x, y).tolist())


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_processes_do_not_wait_for_the_parents_threads(monkeypatch):
    monkeypatch.setattr(threads, "_cores", lambda: 2)
    x, y = clouds(4, 16, seed=1), clouds(4, 16, seed=2)
    expected = earth_movers_distance(x, y).tolist()  # starts the parent's threads
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_emd_in_child, args=(x, y, queue))
    child.start()
    child.join(20)
    child.kill()  # of no effect unless it hangs
    assert child.exitcode == 0
    assert queue.get() == expected


def test_threads_give_the_results_of_a_loop(monkeypatch):
    x, y = clouds(9, 16, seed=1), clouds(9, 16, seed=2)
    results = []
    for cores in (1, 3):
        monkeypatch.setattr(threads, "_cores", lambda cores=cores: cores)
        results.append(match_points(x, y))
    assert torch.equal(*results)


def test_distances_of_an_accelerator_are_those_of_the_cpu():
    x, y = (clouds(3, 7, seed=s, dtype=torch.float64).requires_grad_() for s in (1, 2))
    torch.testing.assert_close(pairs.distances_by_coordinates(x, y), pairs.distances(x, y))
    for function in (pairs.distances_by_coordinates, pairs.distances):
        assert torch.autograd.gradcheck(function, (x, y))


@pytest.mark.parametrize("function", [pairs.distances_by_coordinates, pairs.distances])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_all_distances_at_coincident_points_is_finite(function, dtype):
    x = clouds(2, 5, dtype=dtype)
    x[:, 1:] = x[:, :1]
    x.requires_grad_()
    function(x, x.detach()).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
