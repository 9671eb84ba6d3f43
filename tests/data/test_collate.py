"""Samples with holes become batches with masks."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from pyro_mmvae import collate

COMPLETE = {"force": np.zeros(2), "label": 0, "weight": 1.5}


def test_missing_entries_become_masks():
    samples = [
        {"force": np.array([1.0, 2.0]), "label": 3, "weight": 0.5},
        {"force": None, "label": 1},
        {"label": 2, "weight": None, "force": torch.tensor([3.0, 4.0], dtype=torch.float64)},
    ]
    batch = collate(samples)
    assert batch.names == ("force", "label", "weight")
    assert batch.data["force"].tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]
    assert batch.data["force"].dtype == batch.data["weight"].dtype == torch.float32
    assert batch.data["label"].tolist() == [3, 1, 2]
    assert batch.data["label"].dtype == torch.int64
    assert {n: m.tolist() for n, m in batch.observed.items()} == {
        "force": [True, False, True],
        "label": [True, True, True],
        "weight": [True, False, False],
    }
    assert collate(samples, dtype=torch.float64).data["force"].dtype == torch.float64


def test_what_nobody_has_is_known_from_a_complete_sample():
    assert collate([{"label": 1}, {"label": 2, "force": None}]).names == ("label",)
    batch = collate([{"label": 1}, {"label": 2}], like=COMPLETE)
    assert batch.names == ("force", "label", "weight")
    assert batch.data["force"].shape == (2, 2)
    assert not batch.observed["force"].any()
    assert not batch.observed["weight"].any()
    assert not collate([{}, {}], like=COMPLETE).observed["label"].any()


@pytest.mark.parametrize(
    "value",
    [np.float32(2.0), np.array([1, 2], np.uint8), np.arange(6.0)[::-2], np.zeros((3, 4)).T, True, np.array(3.0)],
)
def test_arrays_of_every_kind(value):
    batch = collate([{"x": value}, {"x": value}, {}])
    assert batch.data["x"][1].shape == np.shape(value)
    np.testing.assert_array_equal(batch.data["x"][1].numpy(), np.asarray(value))


@pytest.mark.parametrize(
    ("samples", "options", "error", "message"),
    [
        ([], {}, ValueError, "at least one sample"),
        ([{}, {"x": None}], {}, ValueError, "no sample of this batch has any modality"),
        ([{"x": np.zeros(2)}, {}, {"x": np.zeros(3)}], {}, ValueError, r"'x': sample 2 has shape \(3,\), sample 0 has"),
        (
            [{"force": np.zeros(3)}],
            {"like": COMPLETE},
            ValueError,
            r"'force': sample 0 has shape \(3,\), like has \(2,\)",
        ),
        ([{"forse": np.zeros(2)}], {"like": COMPLETE}, ValueError, r"sample 0 has \['forse'\], which `like` has not"),
        ([{"x": 1}, {"x": 1.5}], {}, ValueError, r"'x': sample 1 is of torch.float32, sample 0 of torch.int64"),
        ([{"x": 1}, {"x": "text"}], {}, TypeError, "sample 1, 'x': expected an array.* got str"),
        ([{"x": np.array(["a"])}], {}, TypeError, "sample 0, 'x': this array cannot be a tensor"),
        ([{"x": 1.0}, {"x": float("nan")}], {}, ValueError, r"'x' holds NaN or infinite .* in samples \[1\]"),
        ([np.zeros(2)], {}, TypeError, "sample 0: expected a dictionary .* got ndarray"),
        ([{"x": 1}], {"like": {"x": None}}, ValueError, r"like: expected a complete sample, \['x'\] are None"),
    ],
)
def test_bad_samples_are_named(samples, options, error, message):
    with pytest.raises(error, match=message):
        collate(samples, **options)


class Recordings(Dataset):
    """Every third sample has no force."""

    def __len__(self):
        return 10

    def __getitem__(self, number):
        force = None if number % 3 == 0 else np.full(2, float(number))
        return {"force": force, "label": number}


@pytest.mark.parametrize("workers", [0, 2])
def test_with_a_loader(workers):
    make = functools.partial(collate, like={"force": np.zeros(2), "label": 0})
    batches = list(DataLoader(Recordings(), batch_size=4, collate_fn=make, num_workers=workers))
    assert [batch.size for batch in batches] == [4, 4, 2]
    label = torch.cat([batch.data["label"] for batch in batches])
    seen = torch.cat([batch.observed["force"] for batch in batches])
    force = torch.cat([batch.data["force"] for batch in batches])
    assert label.tolist() == list(range(10))
    assert torch.equal(seen, label % 3 != 0)
    assert torch.equal(force[:, 0], torch.where(seen, label.float(), 0.0))
