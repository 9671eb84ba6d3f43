"""Estimates on a device that has no float64, as Apple's `mps`: faked by a mode that refuses it in every operation."""

from __future__ import annotations

import pytest
import torch
from support import data, pair
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pyro_mmvae import Batch
from pyro_mmvae.estimators import Annealing, annealed_log_likelihood, bidirectional, floats, log_likelihood, weights


class NoDouble(TorchDispatchMode):
    """Refuse whatever makes a float64 tensor, but for what goes to the host."""

    at_host = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        parts = [part for part in tree_leaves(found) if isinstance(part, torch.Tensor)]
        if not self.at_host and any(part.dtype == torch.float64 for part in parts):
            raise TypeError(f"{func}: Cannot convert to float64, which this device does not have")
        return found


@pytest.fixture
def no_double(monkeypatch):
    """Make the processor a device without float64, and return the mode that holds it to that."""
    mode = NoDouble()

    def on_host(value):
        mode.at_host = True
        return floats.on_host(value)

    def from_host(array, like):
        found = floats.from_host(array, like)
        mode.at_host = False
        return found

    monkeypatch.setattr(weights, "on_host", on_host)
    monkeypatch.setattr(weights, "from_host", from_host)
    return mode


def found():
    (model, guide), batch = pair("poe"), Batch.of(data())
    quick = Annealing(4, 40, 2)
    return [
        log_likelihood(model, guide, batch, num_samples=60, defensive=0.1),
        annealed_log_likelihood(model, batch, annealing=quick),
        annealed_log_likelihood(model, batch, guide=guide, annealing=quick),
        annealed_log_likelihood(model, batch, guide=guide, start="refined", annealing=Annealing(None, 40, 2)),
        bidirectional(model, 5, guide=guide, annealing=quick).lower,
    ]


def test_the_fake_device_refuses_float64(no_double):
    with pytest.raises(TypeError, match="Cannot convert to float64"), no_double:
        found()


def test_sums_are_kept_in_what_the_device_has(no_double, monkeypatch):
    torch.manual_seed(0)
    expected = found()
    monkeypatch.setattr(floats, "_WITHOUT_DOUBLE", frozenset({"cpu"}))
    torch.manual_seed(0)
    with no_double:
        got = found()
    for one, other in zip(got, expected, strict=True):
        assert one.value.dtype == torch.float32
        torch.testing.assert_close(one.value.double(), other.value.double(), rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(one.ess.double(), other.ess.double(), rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(one.khat.double(), other.khat.double(), rtol=0, atol=1e-2)
        assert one.summary()["mean"] == pytest.approx(other.summary()["mean"], abs=1e-3)


@pytest.mark.parametrize(("kind", "dtype"), [("cpu", torch.float64), ("cuda", torch.float64), ("mps", torch.float32)])
def test_precision_of_devices(kind, dtype):
    assert floats.precise(torch.device(kind)) == dtype
