"""From single samples, some of which lack modalities, to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae.batch import Batch

Sample = Mapping[str, Any]


def collate(samples: Sequence[Sample], *, like: Sample | None = None, dtype: torch.dtype | None = None) -> Batch:
    """Stack samples that are dictionaries into a batch; what a sample lacks is marked as not observed.

    It is made for `torch.utils.data.DataLoader(dataset, collate_fn=collate)`, with `functools.partial` for options.

    Args:
        samples: each maps names of modalities to arrays, tensors or numbers of shape `event`. A name that is not there
            is missing, and so is one whose value is None.
        like: a complete sample. The batch has its modalities, whether or not a sample of this batch does: without it
            a modality that every sample lacks is not in the batch, and an objective that decodes it refuses that.
        dtype: of floating-point values, PyTorch's default (float32) when left out: files and NumPy hold float64, which
            a network of float32 does not take.

    Returns:
        `data[name]` of shape `(B, *event)`, zeros where missing; `observed[name]` of shape `(B,)`.

    Raises:
        ValueError: no sample, one that holds nothing known, values of unequal shapes or types, or a NaN that is not
            marked as missing; the message names sample and modality.
        TypeError: a sample that is no dictionary, or a value that is no array.
    """
    if not samples:
        raise ValueError("expected at least one sample, got none")
    rows = [_tensors(sample, number, dtype) for number, sample in enumerate(samples)]
    known = _tensors(like, "like", dtype) if like is not None else {}
    if like is not None and (lacking := [name for name in like if name not in known]):
        raise ValueError(f"like: expected a complete sample, {lacking} are None in it")
    names = list(known) if known else list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise ValueError("no sample of this batch has any modality")
    for number, row in enumerate(rows):
        if unknown := [name for name in row if name not in names]:
            raise ValueError(f"sample {number} has {unknown}, which `like` has not; it has {names}")
    data, observed = {}, {}
    for name in names:
        data[name] = _stacked(name, [row.get(name) for row in rows], known.get(name))
        observed[name] = torch.tensor([name in row for row in rows])
    return Batch.of(data, observed)


def _tensors(sample: Any, number: int | str, dtype: torch.dtype | None) -> dict[str, Tensor]:
    where = f"sample {number}" if isinstance(number, int) else number
    if not isinstance(sample, Mapping):
        raise TypeError(
            f"{where}: expected a dictionary of values by modality, got {type(sample).__name__}; a dataset is to "
            f"return one for each sample"
        )
    return {name: _tensor(value, f"{where}, {name!r}", dtype) for name, value in sample.items() if value is not None}


def _tensor(value: Any, where: str, dtype: torch.dtype | None) -> Tensor:
    if not isinstance(value, Tensor | np.ndarray | np.generic | bool | int | float):
        raise TypeError(f"{where}: expected an array, a tensor, a number or None, got {type(value).__name__}")
    try:
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{where}: this array cannot be a tensor ({error})") from error
    return tensor.to(dtype or torch.get_default_dtype()) if tensor.is_floating_point() else tensor


def _stacked(name: str, values: Sequence[Tensor | None], example: Tensor | None) -> Tensor:
    """Stack the values of one modality, zeros for None."""
    there = [(f"sample {number}", value) for number, value in enumerate(values) if value is not None]
    who, first = ("like", example) if example is not None else there[0]
    for where, value in there:
        if value.shape != first.shape:
            raise ValueError(
                f"{name!r}: {where} has shape {tuple(value.shape)}, {who} has {tuple(first.shape)}; samples of one "
                f"modality need one shape: crop, resize or pad them"
            )
        if value.dtype != first.dtype:
            raise ValueError(f"{name!r}: {where} is of {value.dtype}, {who} of {first.dtype}; samples need one type")
    nothing = torch.zeros_like(first)
    return torch.stack([nothing if value is None else value for value in values])
