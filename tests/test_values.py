"""First contact with data: what is converted, what is refused and by which words, and what is hidden stays hidden."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from support import LATENT, common_noise, compatible_pairs, data, pair
from support import build as objective_of
from torch import nn
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE, guides
from pyro_mmvae.estimators import annealed_log_likelihood, log_likelihood, to_inference_data
from pyro_mmvae.estimators.annealing import Annealing
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import (
    Bernoulli,
    Categorical,
    Likelihood,
    Multilabel,
    Normal,
    Pointcloud,
    Pose,
    Segmentation,
)
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.extended import extended
from pyro_mmvae.objectives.mixing import mixing

SIZE = 4


def parts_of(likelihood: Likelihood) -> list[Modality]:
    shape = likelihood.event_shape
    return [
        Modality("x", likelihood, MLPDecoder(LATENT, likelihood.param_shape, (8,)), MLPEncoder(shape, (8,))),
        Modality("y", Normal((2,)), MLPDecoder(LATENT, (2,), (8,)), MLPEncoder((2,), (8,))),
    ]


def numbers(likelihood: Likelihood, value, dtype: torch.dtype = torch.float32, parts=None) -> list[torch.Tensor]:
    """Loss, its gradients and a log-likelihood, from the same weights and noise whatever the values' type."""
    torch.manual_seed(0)
    parts = parts or parts_of(likelihood)
    model, guide = MultimodalVAE(parts, LATENT).to(dtype), PoE(parts, LATENT).to(dtype)
    batch = Batch.of({"x": value, "y": torch.ones(SIZE, 2, dtype=dtype)})
    loss = mixing(["x", "y"], ["x", "y"])(model, guide)
    with common_noise():
        found = loss(batch)
    found.backward()
    found = [found.detach(), *(p.grad for p in loss.parameters())]
    if model.normalised(["x"]):
        found.append(log_likelihood(model, guide, batch, num_samples=30).value)
    return found


BITS = torch.tensor([[0, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 1]])
CASES = {
    "bits": (Bernoulli((3,)), BITS),
    "labels": (Multilabel(3), BITS),
    "reals": (Normal((3,)), BITS),
    "one number": (Normal(()), BITS[:, 0]),
    "one bit": (Bernoulli(()), BITS[:, 0]),
    "one number, scale predicted": (Normal((), "predicted"), BITS[:, 0]),
    "index": (Categorical(3, one_hot=False), torch.tensor([0, 1, 1, 0])),
    "one-hot": (Categorical(3), one_hot(torch.tensor([0, 1, 2, 0]), 3)),
    "classes": (Segmentation(2, (1, 3)), BITS.unsqueeze(1)),
    "pose": (Pose(1), BITS.unsqueeze(1)),
    "cloud": (Pointcloud(1, "mixture"), BITS.unsqueeze(1)),
    "energy": (Pointcloud(1, "energy"), BITS.unsqueeze(1)),
}
FORMS = {
    **{str(t): lambda v, t=t: v.to(t) for t in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32)},
    **{str(t): lambda v, t=t: v.to(t) for t in (torch.int64, torch.float16, torch.bfloat16, torch.float64)},
    **{f"torch {t}": lambda v, t=t: v.to(t) for t in (torch.uint16, torch.uint32, torch.uint64)},
    **{
        f"numpy {t}": lambda v, t=t: v.numpy().astype(t)
        for t in ("bool", "u1", "u2", "u8", "i8", "f2", "f4", "f8", ">f4")
    },
    "long double": lambda v: v.numpy().astype(np.longdouble),
    "reversed": lambda v: np.ascontiguousarray(v.numpy()[::-1])[::-1],
    "list": lambda v: v.tolist(),
    "list of floats": lambda v: v.float().tolist(),
    "list of tensors": list,
    "list of arrays": lambda v: list(v.numpy()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_form_of_the_same_values_gives_the_same_numbers(case, dtype):
    likelihood, values = CASES[case]
    parts = parts_of(likelihood)
    expected = None
    for form, convert in FORMS.items():
        found = numbers(likelihood, convert(values), dtype, copy.deepcopy(parts))
        expected = expected or found
        for got, wanted in zip(found, expected, strict=True):
            assert got.dtype == wanted.dtype, form
            torch.testing.assert_close(got, wanted, msg=lambda m, form=form: f"{form}: {m}")


def test_lists_have_the_default_types_and_arrays_keep_theirs():
    batch = Batch.of({"a": [[1.0], [2.0]], "b": [[1], [2]], "c": np.ones((2, 1))})
    assert [batch.data[n].dtype for n in "abc"] == [torch.float32, torch.int64, torch.float64]


def test_the_callers_array_is_neither_shared_nor_needed_writeable():
    values, mask = np.ones((2, 1)), np.array([True, False])
    values.flags.writeable = mask.flags.writeable = False
    batch = Batch.of({"x": values}, {"x": mask})
    assert batch.data["x"].tolist() == [[1.0], [0.0]]
    assert values.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    "mask", [np.array([True, False]), [True, False], (True, False), np.array([True, False])[:, None][:, 0]]
)
def test_masks_may_be_arrays_and_lists(mask):
    assert Batch.of({"x": np.ones((2, 1))}, {"x": mask}).observed["x"].tolist() == [True, False]


@pytest.mark.parametrize(
    "mask",
    [[1, 0], np.array([1.0, 0.0]), torch.tensor([1, 0]), ["yes", "no"], True, [True], [[True, False]], [None, True]],
)
def test_other_masks_are_refused(mask):
    with pytest.raises(ValueError, match=r"observed\['x'\]: expected (a bool tensor of shape \(2,\)|booleans)"):
        Batch.of({"x": torch.ones(2, 1)}, {"x": mask})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a", "b"], r"'x': expected an array of real numbers, got list of type <U1"),
        (np.array([object(), None]), "'x': expected an array of real numbers, got ndarray of type object"),
        (None, "'x': expected an array of real numbers, got NoneType"),
        (np.ones((2, 1)) * 1j, "'x': expected an array of real numbers, got ndarray of type complex128"),
        (torch.ones(2, 1) * 1j, "'x': expected a dense tensor of real numbers, got one of torch.complex64"),
        (torch.eye(2).to_sparse(), "'x': expected a dense tensor"),
        ([[1.0], [2.0, 3.0]], "'x': expected values of one shape for all samples"),
        ([torch.ones(1), torch.ones(2)], "'x': expected values of one shape for all samples"),
        (torch.ones(2, 1, requires_grad=True), r"'x': data that require gradients .* `x.detach\(\)`"),
        (torch.ones(3, 1), r"one batch size B, got \{'x': 3, 'other': 2\}"),
        (3.0, r"one batch size B, got \{'x': None, 'other': 2\}"),
        ([[1.0], [float("nan")]], r"'x' holds NaN or infinite values.* in samples \[1\]; mark missing"),
        (np.array([[-np.inf], [1.0]]), r"'x' holds NaN or infinite values.* in samples \[0\]"),
        ([[1.0], [1e300]], r"'x' holds .*beyond the range of torch.float32, in samples \[1\]"),
        (torch.ones(2, 1, device="meta"), r"on one device, got \{'x': 'meta', 'other': 'cpu'\}"),
    ],
)
def test_other_values_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        Batch.of({"x": value, "other": torch.ones(2, 1)})


def test_a_batch_is_a_mapping():
    for data_, observed in ((torch.ones(2), None), ({"x": torch.ones(2)}, [True, True])):
        with pytest.raises(ValueError, match="of a batch: expected a mapping by names of modalities"):
            Batch.of(data_, observed)


@pytest.mark.parametrize(
    "rows", [[0, 2], np.array([0, 2]), np.array([True, False, True]), torch.tensor([0, 2]), slice(0, 3, 2)]
)
def test_rows_may_be_lists_and_arrays(rows):
    assert Batch.of({"x": torch.arange(3.0)})[rows].data["x"].tolist() == [0.0, 2.0]
    assert Batch.of({"x": torch.arange(3.0)})[[]].size == 0


@pytest.mark.parametrize("rows", [1, "x", 0.5, torch.tensor(1), [0.5], torch.ones(2, 2, dtype=torch.bool), None])
def test_other_rows_are_refused(rows):
    with pytest.raises(TypeError, match=r"slice|indexed by samples"):
        Batch.of({"x": torch.arange(3.0)})[rows]


class TestBeyondTheRange:
    """Float64 values that the model's type does not hold: refused with modality and sample, in every batch."""

    def batch(self):
        value = torch.ones(SIZE, 2, dtype=torch.float64)
        value[2] = 1e300
        return Batch.of({"x": torch.zeros(SIZE, 3), "y": value})

    @pytest.mark.parametrize("inputs", [["x"], ["y"]])
    @pytest.mark.parametrize("validate", [None, False])
    def test_in_a_loss(self, inputs, validate):
        parts = parts_of(Normal((3,)))
        objective = extended(inputs, ["x", "y"])
        objective.validate = validate
        loss = objective(MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
        loss(self.batch()[:2])
        with pytest.raises(ValueError, match=r"'y' holds values beyond the range of torch.float32.* in samples \[2\]"):
            loss(self.batch())

    def test_in_estimates(self):
        parts = parts_of(Normal((3,)))
        model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
        for ask in (
            lambda: log_likelihood(model, guide, self.batch(), num_samples=5),
            lambda: log_likelihood(model, guide, self.batch(), of=["x"], num_samples=5),
            lambda: to_inference_data(model, guide, self.batch(), num_samples=5),
        ):
            with pytest.raises(ValueError, match=r"'y' holds values beyond the range of torch.float32"):
                ask()

    def test_a_model_of_that_range_takes_them(self):
        parts = parts_of(Normal((3,)))
        PoE(parts, LATENT).double().posterior(self.batch())

    def test_hidden_ones_do_not_matter(self):
        parts = parts_of(Normal((3,)))
        model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
        hidden = Batch.of(self.batch().data, {"y": torch.arange(SIZE) != 2})
        assert torch.isfinite(extended(["x", "y"], ["x", "y"])(model, guide)(hidden))


def test_whole_numbers_reach_an_encoder_that_looks_them_up():
    class Table(nn.Module):
        out_features = 4

        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(3, 4)

        def forward(self, value):
            return self.table(value)

    parts = [Modality("x", Categorical(3, one_hot=False), nn.Linear(LATENT, 3), Table())]
    loss = extended(["x"], ["x"])(MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert torch.isfinite(loss(Batch.of({"x": [0, 2, 1]})))


def test_whole_numbers_that_an_encoder_cannot_read_are_named():
    parts = [Modality("x", Normal((3,)), nn.Linear(LATENT, 3), nn.Linear(3, 4))]
    with pytest.raises(ValueError, match=r"encoder of 'x' cannot read whole numbers \(torch.uint8\); make them floats"):
        PoE(parts, LATENT).posterior(Batch.of({"x": torch.ones(2, 3, dtype=torch.uint8)}))


def test_an_encoder_that_fails_is_named():
    with pytest.raises(RuntimeError) as error:
        pair("poe")[1].posterior(Batch.of({"a": torch.ones(2, 9)}))
    assert error.value.__notes__ == ["in the encoder of 'a', on values of shape (2, 9)"]


class TestDevices:
    def test_a_batch_elsewhere(self):
        model, guide = pair("poe")
        batch = Batch.of(data()).to("meta")
        for ask in (
            lambda: extended(["a"], ["y"])(model, guide)(batch),
            lambda: log_likelihood(model, guide, batch, num_samples=5),
            lambda: annealed_log_likelihood(model, batch),
        ):
            with pytest.raises(ValueError, match=r"on one device, got .*'batch': 'meta'.*'cpu'.*batch.to\(device\)"):
                ask()
        with pytest.raises(ValueError, match=r"'a' lies on meta, its network on cpu; move the batch"):
            guide.posterior(batch)

    def test_a_guide_elsewhere(self):
        model, guide = pair("poe")
        with pytest.raises(ValueError, match=r"'model': 'cpu', 'guide': 'meta'"):
            extended(["a"], ["y"])(model, guide.to("meta"))(Batch.of(data()))


class TestNonFinite:
    """In a batch that nobody looked at when it was built, the first evaluation does."""

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf])
    @pytest.mark.parametrize("name", ["a", "y"])
    def test_an_observed_one_is_named(self, name, bad):
        model, guide = pair("poe")
        values = data()
        values[name][3] = bad
        batch = Batch(values, {n: torch.ones(6, dtype=torch.bool) for n in values})
        for ask in (
            lambda: extended(["a"], ["y"])(model, guide)(batch),
            lambda: log_likelihood(model, guide, batch, of=["y"], given=["a"], num_samples=5),
        ):
            with pytest.raises(ValueError, match=rf"'{name}' holds NaN or infinite values.* in samples \[3\]"):
                ask()


HIDDEN = [torch.nan, torch.inf, -torch.inf, 1e38, 1e20]


def hidden(value: float, fresh: bool) -> Batch:
    """A batch that is made by hand, with a value where nothing is observed."""
    values = data()
    rows = torch.arange(6)
    masks = {"a": rows % 2 == 0, "b": rows % 3 == 0, "c": rows < 4, "y": rows != 1}
    for name, mask in masks.items():
        values[name][~mask] = value
    return Batch(values, masks) if fresh else Batch.of(values, masks)


def with_batch_statistics(module: nn.Module) -> nn.Module:
    """Put batch normalisation behind every encoder, which shows a sample what its neighbours have."""
    for owner in [part for part in module.modules() if isinstance(part, Guide) and "encoders" in part._modules]:
        for name, encoder in owner.encoders.items():
            owner.encoders[name] = nn.Sequential(nn.BatchNorm1d(encoder.in_features, momentum=0.5), encoder)
    return module


@pytest.mark.parametrize(("guide_name", "objective_name"), compatible_pairs())
def test_a_loss_does_not_see_what_is_hidden(guide_name, objective_name):
    expected = None
    for value, fresh in [(0.0, False), (0.0, True), *((v, True) for v in HIDDEN)]:
        torch.manual_seed(0)
        model, guide = pair(guide_name)
        loss = objective_of(objective_name, guide, num_particles=2)(model, with_batch_statistics(guide))
        torch.manual_seed(1)
        result = loss(hidden(value, fresh))
        result.backward()
        found = [result.detach(), *(p.grad for p in loss.parameters() if p.grad is not None), *guide.buffers()]
        expected = expected or found
        for got, wanted in zip(found, expected, strict=True):
            assert torch.equal(got, wanted), value


@pytest.mark.parametrize("guide_name", guides.available())
def test_a_posterior_does_not_see_what_a_view_hides(guide_name):
    masks = {n: torch.tensor([[n == "b"], [False]]) for n in ("a", "b", "c")}
    for view in (lambda b: b, lambda b: b.given("b"), lambda b: b.given([]), lambda b: b.seen(masks)):
        expected = None
        for value in (0.0, *HIDDEN):
            torch.manual_seed(0)
            _, guide = pair(guide_name)
            with_batch_statistics(guide)
            posterior = guide.posterior(view(hidden(value, fresh=True)))
            (posterior.mean.square() + posterior.variance).sum().backward()
            found = [posterior.mean, posterior.variance, *(p.grad for p in guide.parameters() if p.grad is not None)]
            expected = expected or found
            for got, wanted in zip(found, expected, strict=True):
                assert torch.equal(got, wanted), value


@pytest.mark.parametrize("guide_name", guides.available())
def test_an_observed_value_that_a_view_hides_overflows_nothing(guide_name):
    _, guide = pair(guide_name)
    values = data()
    expected = guide.posterior(Batch.of(values).given(["b"]))
    got = guide.posterior(Batch.of({**values, "a": torch.full((6, 3), 3e38)}).given(["b"]))
    torch.testing.assert_close(got.mean, expected.mean, rtol=0, atol=0)
    got.mean.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in guide.parameters() if p.grad is not None)


def test_estimates_do_not_see_what_is_hidden():
    model, guide = pair("poe")
    annealing = Annealing(num_temperatures=3, num_chains=2, leapfrog_steps=2)
    found = []
    for value in (0.0, *HIDDEN):
        batch = hidden(value, fresh=True)
        found.append(
            [
                log_likelihood(model, guide, batch, num_samples=30, refine=2).value,
                annealed_log_likelihood(model, batch, annealing=annealing).value,
                torch.from_numpy(to_inference_data(model, guide, batch, num_samples=3).log_likelihood["y"].values),
            ]
        )
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0, equal_nan=True)


def test_encoders_still_run_on_what_rows_of_an_objective_hide():
    """Batch statistics of a step that draws other rows are those of the data, as they were."""
    _, guide = pair("poe")
    with_batch_statistics(guide)
    batch = Batch.of(data())
    guide.posterior(batch.seen({n: torch.tensor([[n == "a"]]) for n in batch.names}))
    assert guide.encoders["b"][0].running_mean.abs().min() > 0


@pytest.mark.parametrize("inference", [False, True])
def test_estimates_in_inference_mode(inference):
    model, guide = pair("poe")
    annealing = Annealing(num_temperatures=3, num_chains=2, leapfrog_steps=2)
    found = []
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            batch = Batch.of(data()) if inference else None
        batch = batch or Batch.of(data())
        with mode():
            found.append(
                [
                    log_likelihood(model, guide, batch, num_samples=30, refine=2).value,
                    annealed_log_likelihood(model, batch, annealing=annealing).value,
                ]
            )
            assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_a_likelihood_of_ones_own_needs_no_example():
    class Own(Normal):
        example = Likelihood.example

    class Bare(Likelihood):
        def forward(self, params):
            return Normal(self.event_shape)(params)

    for likelihood in (Own((3,)), Bare((3,))):
        numbers(likelihood, torch.ones(SIZE, 3))
        with pytest.raises(NotImplementedError, match="gives no example; write a classmethod"):
            type(likelihood).example()
