"""Batches: checks at the border, masks inside."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from lightning_utilities.core.apply_func import apply_to_collection

from pyro_mmvae import Batch


def test_missing_values_become_zeros():
    value = torch.tensor([[1.0, 2.0], [float("nan"), float("inf")]])
    batch = Batch.of({"x": value}, {"x": torch.tensor([True, False])})
    assert batch.data["x"].tolist() == [[1.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("data", "observed", "message"),
    [
        ({}, None, "at least one modality"),
        ({"x": torch.zeros(2, 1), "y": torch.zeros(3, 1)}, None, "one batch size"),
        ({"x": torch.zeros(2, 1)}, {"y": torch.ones(2, dtype=torch.bool)}, "masks for modalities"),
        ({"x": torch.zeros(2, 1)}, {"x": torch.ones(3, dtype=torch.bool)}, "expected a bool tensor"),
        ({"x": torch.zeros(2, 1)}, {"x": torch.ones(2)}, "expected a bool tensor"),
        ({"x": torch.full((2, 1), float("nan"))}, None, "NaN or infinite"),
        ({"x": torch.tensor([1.0, float("inf")])}, None, r"samples \[1\]"),
    ],
)
def test_bad_input_is_refused(data, observed, message):
    with pytest.raises(ValueError, match=message):
        Batch.of(data, observed)


def test_seen_combines_masks_over_rows():
    batch = Batch.of({"x": torch.ones(3, 1), "y": torch.ones(3, 1)}, {"x": torch.tensor([True, False, True])})
    seen = batch.seen({"x": torch.tensor([[True], [False]])})
    assert seen.names == ("x",)
    assert seen.observed["x"].tolist() == [[True, False, True], [False, False, False]]


def test_given_hides_and_only_removes():
    batch = Batch.of({"x": torch.ones(2, 1), "y": torch.ones(2, 1)})
    assert not batch.given(["x"]).observed["y"].any()
    assert batch.given(["x"]).names == ("x", "y")
    assert batch.only(["y"]).names == ("y",)


def test_indexing_takes_samples():
    batch = Batch.of({"x": torch.arange(4.0)[:, None]}, {"x": torch.tensor([True, False, True, True])})
    assert batch[1:3].data["x"].flatten().tolist() == [0.0, 2.0]
    assert batch[1:3].observed["x"].tolist() == [False, True]


def test_what_libraries_do_with_dataclasses():
    """Lightning converts the tensors of a batch for its precisions, and finds the batch size in it."""
    batch = Batch.of({"x": torch.ones(3, 1)}, {"x": torch.tensor([True, False, True])})
    converted = apply_to_collection(batch, torch.Tensor, lambda t: t.double() if t.is_floating_point() else t)
    assert isinstance(converted, Batch)
    assert converted.data["x"].dtype == torch.float64
    assert converted.observed["x"].tolist() == [True, False, True]
    assert batch.data["x"].dtype == torch.float32
    for same in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert same.zeroed
        assert same.data["x"].equal(batch.data["x"])
    assert len({batch, batch}) == 1


def test_views_know_what_is_filled_with_zeros():
    batch = Batch.of({"x": torch.ones(3, 1), "y": torch.ones(3, 1)})
    rows = {"x": torch.tensor([[True], [False]])}
    for view in (batch, batch[:2], batch.only("x"), batch.seen(rows), batch.to("cpu"), batch.given(["x", "y"])):
        assert view.zeroed
        assert view.zero_filled() is view
    by_hand = Batch({"x": torch.full((3,), torch.nan)}, {"x": torch.tensor([True, False, False])})
    for view in (batch.given("x"), by_hand, by_hand[:2], by_hand.only("x"), batch.given("x").only("y")):
        assert not view.zeroed
    assert by_hand.seen(rows).data["x"].isnan().tolist() == [True, False, False]
    assert batch.given("x").zero_filled().data["y"].tolist() == [[0.0]] * 3


def test_samples_that_show_nothing():
    batch = Batch.of({"x": torch.ones(3, 2), "n": [1, 2, 3]})
    nothing = batch.nothing(2)
    assert {n: (v.shape, v.dtype) for n, v in nothing.data.items()} == {
        "x": ((2, 2), torch.float32),
        "n": ((2,), torch.int64),
    }
    assert not any(mask.any() for mask in nothing.observed.values())
