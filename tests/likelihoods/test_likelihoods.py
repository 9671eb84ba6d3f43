"""One contract for every likelihood of the folder, and what is particular to each."""

import importlib
import inspect
import itertools
import math
from copy import deepcopy

import pyro
import pyro.poutine as poutine
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pyro_mmvae import likelihoods
from pyro_mmvae.likelihoods import (
    Bernoulli,
    Categorical,
    CrossEntropy,
    Heatmap,
    Laplace,
    Likelihood,
    Multilabel,
    Normal,
    Pointcloud,
    Pose,
    Radial,
    Segmentation,
)
from pyro_mmvae.pointclouds import chamfer_distance, earth_movers_distance
from pyro_mmvae.registry import member_names

NAMES = member_names(likelihoods.__name__)


def class_of(name):
    module = importlib.import_module(f"{likelihoods.__name__}.{name}")
    (found,) = [
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, Likelihood) and c.__module__ == module.__name__
    ]
    return found


# Every file's example, and the options that its example leaves out.
CASES = {name: class_of(name).example for name in NAMES} | {
    "bernoulli scalar": lambda: Bernoulli(()),
    "categorical index": lambda: Categorical(3, one_hot=False),
    "heatmap fixed": lambda: Heatmap(2, (3, 3), 0.1),
    "laplace fixed": lambda: Laplace((4,), 0.3),
    "laplace predicted": lambda: Laplace((4,), "predicted"),
    "normal scalar, predicted": lambda: Normal((), "predicted"),
    "normal fixed": lambda: Normal((2, 3), 0.3),
    "normal learned": lambda: Normal((2, 3), "learned"),
    "pointcloud gaussian": lambda: Pointcloud(5, "mixture", 0.3, kernel="gaussian"),
    "pointcloud shuffled": lambda: Pointcloud(5, "shuffled", "learned"),
    "pointcloud energy": lambda: Pointcloud(5, "energy"),
    "pointcloud chamfer": lambda: Pointcloud(5, "energy", num_centres=4, emd_weight=0),
    "pose whole": lambda: Pose(4, 0.1, norm="pose"),
}


def params_of(likelihood, *lead, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*lead, *likelihood.param_shape), generator=generator, dtype=dtype)


def value_of(likelihood, *lead, dtype=torch.float32):
    """An observable value; energies have no sampler, but any cloud in the unit cube and any grey value is one."""
    if not likelihood.normalised:
        generator = torch.Generator().manual_seed(2)
        return torch.rand((*lead, *likelihood.event_shape), generator=generator, dtype=dtype)
    return likelihood(params_of(likelihood, *lead, dtype=dtype, seed=1)).sample()


@pytest.fixture(params=CASES)
def likelihood(request):
    return CASES[request.param]()


# -- the contract


@pytest.mark.parametrize("name", NAMES)
def test_the_class_bears_the_name_of_its_file_and_is_exported(name):
    assert class_of(name).__name__.lower() == name.replace("_", "")
    assert getattr(likelihoods, class_of(name).__name__) is class_of(name)
    assert isinstance(class_of(name).example(), class_of(name))


@pytest.mark.parametrize("lead", [(), (5,), (2, 3, 5)])
def test_shapes(likelihood, lead):
    params = params_of(likelihood, *lead)
    d = likelihood(params)
    assert d.batch_shape == lead
    assert d.event_shape == likelihood.event_shape
    assert d.event_dim == len(likelihood.event_shape)
    assert d.support.event_dim == d.event_dim
    assert likelihood.param_size == math.prod(likelihood.param_shape)
    # One observed batch under particles and rows of an objective.
    value = value_of(likelihood, *lead[-1:])
    assert likelihood(params).log_prob(value).shape == lead
    assert torch.isfinite(d.log_prob(value)).all()


def test_prediction_has_the_shape_of_the_event(likelihood):
    prediction = likelihood.predict(params_of(likelihood, 2, 5))
    event = likelihood.param_shape if isinstance(likelihood, Pointcloud) else likelihood.event_shape
    assert prediction.shape == (2, 5, *event)
    assert torch.isfinite(prediction).all()


def test_expand(likelihood):
    d, value = likelihood(params_of(likelihood, 5)), value_of(likelihood, 5)
    wide = d.expand((3, 5))
    assert (wide.batch_shape, wide.event_shape) == ((3, 5), likelihood.event_shape)
    torch.testing.assert_close(wide.log_prob(value), d.log_prob(value).expand(3, 5))


def test_leading_dimensions_are_independent(likelihood):
    params, value = params_of(likelihood, 2, 3, 5), value_of(likelihood, 5)
    together = likelihood(params).log_prob(value)
    torch.testing.assert_close(likelihood(params[1, 2, 3]).log_prob(value[3]), together[1, 2, 3])


def test_every_parameter_gets_a_finite_gradient(likelihood):
    params = params_of(likelihood, 2, 5).requires_grad_()
    likelihood(params).log_prob(value_of(likelihood, 5)).sum().backward()
    assert torch.isfinite(params.grad).all()
    assert (params.grad.reshape(2, 5, -1).abs().sum(-1) > 0).all()
    for parameter in likelihood.parameters():
        assert torch.isfinite(parameter.grad)
        assert parameter.grad.abs() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes(likelihood, dtype):
    likelihood = likelihood.to(dtype)
    params = params_of(likelihood, 5, dtype=dtype)
    log_prob = likelihood(params).log_prob(value_of(likelihood, 5, dtype=dtype))
    assert log_prob.dtype == dtype
    assert likelihood.predict(params).dtype in (dtype, torch.int64)


def test_missing_values_are_masked(likelihood):
    # A batch holds zeros where nothing was observed; validation is on.
    mask = torch.tensor([True, False, True])
    value = value_of(likelihood, 3)
    zeroed = torch.where(mask.reshape(3, *[1] * len(likelihood.event_shape)), value, torch.zeros_like(value))
    params = params_of(likelihood, 2, 3).requires_grad_()
    with poutine.mask(mask=mask), pyro.plate("data", 3):
        site = poutine.trace(pyro.sample).get_trace("x", likelihood(params), obs=zeroed)
    site.compute_log_prob()
    log_prob = site.nodes["x"]["log_prob"]
    torch.testing.assert_close(log_prob, likelihood(params).mask(mask).log_prob(zeroed))
    assert torch.equal(log_prob[:, 1], torch.zeros(2))
    torch.testing.assert_close(log_prob[:, 0], likelihood(params).log_prob(value)[:, 0])
    log_prob.sum().backward()
    assert torch.isfinite(params.grad).all()
    assert torch.equal(params.grad[:, 1], torch.zeros_like(params.grad[:, 1]))


def test_samples_where_defined(likelihood):
    d = likelihood(params_of(likelihood, 3))
    if not likelihood.normalised:
        with pytest.raises(NotImplementedError, match="energy"):
            d.sample()
        return
    sample = d.sample((2,))
    assert sample.shape == (2, 3, *likelihood.event_shape)
    assert d.support.check(sample).all()


def test_state_dict_round_trip(likelihood):
    trained = deepcopy(likelihood)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.7)
    likelihood.load_state_dict(trained.state_dict())
    params, value = params_of(likelihood, 5), value_of(likelihood, 5)
    torch.testing.assert_close(likelihood(params).log_prob(value), trained(params).log_prob(value), rtol=0, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_fake_cuda_log_prob(case):
    with FakeTensorMode(), torch.device("cuda"), pyro.validation_enabled(False):
        likelihood = CASES[case]()
        params = torch.randn(2, 3, 5, *likelihood.param_shape)
        dtype = torch.int64 if case in ("segmentation", "categorical index") else torch.float32
        log_prob = likelihood(params).log_prob(torch.zeros(5, *likelihood.event_shape, dtype=dtype))
        assert log_prob.shape == (2, 3, 5)
        assert log_prob.device.type == "cuda"


@pytest.mark.parametrize("case", CASES)
def test_meta_backward(case):
    with torch.device("meta"), pyro.validation_enabled(False):
        likelihood = CASES[case]()
        params = torch.randn(2, 5, *likelihood.param_shape, requires_grad=True)
        dtype = torch.int64 if case in ("segmentation", "categorical index") else torch.float32
        likelihood(params).log_prob(torch.zeros(5, *likelihood.event_shape, dtype=dtype)).sum().backward()
    assert params.grad.shape == params.shape


# -- normalisation


def binary_events(size):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=size)), dtype=torch.float64)


ENUMERABLE = {
    "bernoulli": (Bernoulli((2, 3)), binary_events(6).reshape(-1, 2, 3)),
    "multilabel": (Multilabel(4), binary_events(4)),
    "categorical": (Categorical(3), torch.eye(3, dtype=torch.float64)),
    "categorical index": (Categorical(3, one_hot=False), torch.arange(3)),
    "segmentation": (
        Segmentation(3, (2, 2)),
        torch.tensor(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2),
    ),
}


@pytest.mark.parametrize("case", ENUMERABLE)
def test_probabilities_sum_to_one(case):
    likelihood, events = ENUMERABLE[case]
    total = likelihood(params_of(likelihood, dtype=torch.float64)).log_prob(events).logsumexp(0)
    assert total.item() == pytest.approx(0, abs=1e-9)


DENSITIES = {
    "normal": lambda: Normal((2, 2), 0.4),
    "normal predicted": lambda: Normal((2,), "predicted"),
    "laplace learned": lambda: Laplace((2, 2), "learned", initial_scale=0.4),
    "pose per joint": lambda: Pose(2, 0.3),
    "pose whole": lambda: Pose(2, "learned", norm="pose", initial_scale=0.3),
    "heatmap": lambda: Heatmap(2, (1, 2), 0.3),
    "radial": lambda: Radial((2, 2), 0.3),
    "pointcloud laplace": lambda: Pointcloud(2, "mixture", 0.4, num_centres=3),
    "pointcloud gaussian": lambda: Pointcloud(2, "mixture", 0.5, kernel="gaussian"),
}


@pytest.mark.parametrize("case", DENSITIES)
def test_densities_integrate_to_one(case):
    likelihood = DENSITIES[case]().double()
    params = 0.3 * params_of(likelihood, dtype=torch.float64)
    d = likelihood(params)
    # A wider member of a heavy-tailed family at the same place: the weights p / q are bounded.
    loc = params.mean(0).expand(likelihood.event_shape) if "cloud" in case else likelihood.predict(params)
    width = {"normal predicted": 2.0}.get(case, 0.9)
    q = torch.distributions.Laplace(loc, width).expand(likelihood.event_shape)
    q = torch.distributions.Independent(q, len(likelihood.event_shape))
    value = q.sample((400_000,))
    weights = (d.log_prob(value) - q.log_prob(value)).exp()
    error = weights.std().item() / math.sqrt(len(weights))
    assert error < 0.01
    assert weights.mean().item() == pytest.approx(1, abs=4 * error)


def test_what_is_called_normalised():
    energies = {case for case in CASES if not CASES[case]().normalised}
    assert energies == {"cross_entropy", "pointcloud energy", "pointcloud chamfer"}
    assert not Pointcloud(5, "energy").normalised
    assert Pointcloud(5, "shuffled").log_prob_is_lower_bound
    assert not Pointcloud(5, "mixture").log_prob_is_lower_bound


# -- particulars


def test_predicted_scale_is_bounded_below():
    likelihood = Normal((2,), "predicted", min_scale=0.01)
    params = torch.stack([torch.tensor([1.0, 2.0]), torch.tensor([-100.0, 0.0])])
    d = likelihood(params).base_dist
    torch.testing.assert_close(d.loc, torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(d.scale, torch.tensor([0.01, 0.01 + math.log(2)]))


def test_scales():
    assert Normal((2,), 0.7).scale == 0.7
    assert not list(Normal((2,), 0.7).parameters())
    learned = Pose(4, "learned", initial_scale=0.2)
    torch.testing.assert_close(learned.scale.item(), 0.2)
    assert [name for name, _ in learned.named_parameters()] == ["log_scale"]


def test_learned_scale_has_its_optimum_at_a_third_of_the_mean_distance():
    likelihood, value = Pose(4, "learned"), torch.randn(100, 4, 3)
    with torch.no_grad():
        likelihood.log_scale.copy_((torch.linalg.vector_norm(value, dim=-1).mean() / 3).log())
    likelihood(torch.zeros(4, 3)).log_prob(value).mean().backward()
    assert likelihood.log_scale.grad.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, "predicted", "learnt"])
def test_bad_scales_are_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        Pose(4, scale)


def test_pose_and_heatmap_losses_are_those_of_the_paper():
    y, guess = torch.randn(5, 4, 3), torch.randn(5, 4, 3)
    constant = Pose(4, norm="pose")(guess).log_prob(guess)
    loss = torch.linalg.vector_norm(y - guess, dim=(-1, -2))
    torch.testing.assert_close(Pose(4, norm="pose")(guess).log_prob(y), constant - loss)
    constant, loss = Pose(4)(guess).log_prob(guess), torch.linalg.vector_norm(y - guess, dim=-1).sum(-1)
    torch.testing.assert_close(Pose(4)(guess).log_prob(y), constant - loss)
    maps, drawn = torch.randn(5, 2, 6, 7), torch.randn(5, 2, 6, 7)
    likelihood = Heatmap(2, (6, 7))
    loss = torch.linalg.vector_norm(maps - drawn, dim=(-1, -2)).sum(-1)
    constant = likelihood(drawn).log_prob(drawn)
    torch.testing.assert_close(likelihood(drawn).log_prob(maps), constant - loss, rtol=1e-4, atol=1e-4)


def radial_integral(scale, size):
    """Integral of exp(-|y| / b) over R^d in spherical shells, by quadrature about the largest shell."""
    top = (size - 1) * scale
    height = (size - 1) * math.log(top) - (size - 1)

    def shell(radius):
        return math.exp((size - 1) * math.log(radius) - radius / scale - height)

    width = 40 * math.sqrt(size) * scale
    value, _ = scipy.integrate.quad(shell, max(top - width, 1e-12), top + width, points=[top], limit=500)
    sphere = math.log(2) + size / 2 * math.log(math.pi) - scipy.special.gammaln(size / 2)
    return sphere + height + math.log(value)


@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_normalisers_of_a_hand_and_of_its_heat_maps(scale):
    def at_the_centre(likelihood):
        params = torch.zeros(likelihood.param_shape, dtype=torch.float64)
        return likelihood.double()(params).log_prob(params).item()

    assert at_the_centre(Pose(21, scale, norm="pose")) == pytest.approx(-radial_integral(scale, 63), rel=1e-8)
    assert at_the_centre(Pose(21, scale)) == pytest.approx(-21 * radial_integral(scale, 3), rel=1e-8)
    assert at_the_centre(Pose(21, scale)) == pytest.approx(-21 * math.log(8 * math.pi * scale**3), rel=1e-8)
    assert at_the_centre(Heatmap(3, (8, 8), scale)) == pytest.approx(-3 * radial_integral(scale, 64), rel=1e-8)


@pytest.mark.parametrize(("norm", "size"), [("joint", 3), ("pose", 63)])
def test_samples_of_a_pose_lie_as_far_off_as_their_norm_says(norm, size):
    loc = torch.randn(21, 3, dtype=torch.float64)
    sample = Pose(21, 0.2, norm=norm).double()(loc).sample((4000,))
    radius = torch.linalg.vector_norm(sample - loc, dim=-1 if norm == "joint" else (-1, -2)).flatten()
    assert scipy.stats.kstest(radius.numpy(), scipy.stats.gamma(size, scale=0.2).cdf).pvalue > 1e-3
    assert radius.mean().item() == pytest.approx(size * 0.2, rel=0.02)


def test_norm_of_each_joint_is_between_one_and_sqrt_j_times_that_of_the_pose():
    def loss(norm, y, guess):
        d = Pose(21, norm=norm)(guess)
        return d.log_prob(guess) - d.log_prob(y)

    y, guess = torch.randn(50, 21, 3, dtype=torch.float64), torch.randn(50, 21, 3, dtype=torch.float64)
    ratio = loss("joint", y, guess) / loss("pose", y, guess)
    assert ratio.min() > 1
    assert ratio.max() < math.sqrt(21)
    alike = loss("joint", guess + 1, guess) / loss("pose", guess + 1, guess)  # equally large errors
    torch.testing.assert_close(alike, torch.full_like(alike, math.sqrt(21)))


def test_mean_squared_error_of_a_pose_is_a_normal_density():
    y, guess = torch.randn(5, 21, 3), torch.randn(5, 21, 3)
    likelihood = Normal((21, 3), math.sqrt(63 / 2))
    loss = likelihood(guess).log_prob(guess) - likelihood(guess).log_prob(y)
    torch.testing.assert_close(loss, (y - guess).square().mean((-1, -2)), rtol=1e-3, atol=1e-4)


def test_pointcloud_energy_is_the_loss_of_the_paper():
    y, guess = torch.randn(5, 8, 3), torch.randn(5, 8, 3)
    loss = chamfer_distance(guess, y) + earth_movers_distance(guess, y)
    torch.testing.assert_close(Pointcloud(8, "energy")(guess).log_prob(y), -loss)


def test_cross_entropy_of_grey_values_is_torch_s():
    logits, grey = torch.randn(2, 5, 2, 3), torch.rand(5, 2, 3)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, grey.expand(2, 5, 2, 3), reduction="none")
    torch.testing.assert_close(CrossEntropy((2, 3))(logits).log_prob(grey), -loss.sum((-1, -2)))
    with pytest.raises(ValueError, match="support"):
        CrossEntropy((2, 3))(logits).log_prob(grey + 1)


def test_the_root_mean_squared_error_is_a_density_s_loss():
    x, guess = torch.randn(5, 2), torch.randn(5, 2)
    rms = (x - guess).square().mean(-1).sqrt()
    likelihood = Radial.rms((2,), unit=0.5)
    torch.testing.assert_close(likelihood(guess).log_prob(x), likelihood(x).log_prob(x) - rms / 0.5)


def test_predictions():
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    torch.testing.assert_close(Categorical(3).predict(logits).sum(-1), torch.ones(1))
    assert Categorical(3, one_hot=False).predict(logits).tolist() == [0]
    torch.testing.assert_close(Multilabel(3).predict(logits), 1 / (1 + (-logits).exp()))
    segmentation, maps = Segmentation(3, (2, 4)), torch.randn(5, 3, 2, 4)
    torch.testing.assert_close(segmentation.probabilities(maps).sum(-3), torch.ones(5, 2, 4))
    assert torch.equal(segmentation.probabilities(maps).argmax(-3), segmentation.predict(maps))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="norm"):
        Pose(4, norm="hand")
    with pytest.raises(ValueError, match="expected a density"):
        Pointcloud(4, "chamfer")
    with pytest.raises(ValueError, match="cannot be learned"):
        Pointcloud(4, "energy", "learned")
    for density in ("energy", "shuffled"):
        with pytest.raises(ValueError, match="one to one"):
            Pointcloud(4, density, num_centres=5)
