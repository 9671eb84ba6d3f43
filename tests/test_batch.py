"""Batches: checks at the border, masks inside."""

from __future__ import annotations

import pytest
import torch

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
    assert batch.only(["y", "unknown"]).names == ("y",)


def test_indexing_takes_samples():
    batch = Batch.of({"x": torch.arange(4.0)[:, None]}, {"x": torch.tensor([True, False, True, True])})
    assert batch[1:3].data["x"].flatten().tolist() == [0.0, 2.0]
    assert batch[1:3].observed["x"].tolist() == [False, True]
