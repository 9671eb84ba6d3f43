"""A mini-batch of several modalities, some of which may be missing for some samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae.arguments import check_mapping, names_of
from pyro_mmvae.values import refuse_nonfinite, to_mask, to_tensor, zero_filled


@dataclass(eq=False)
class Batch:
    """Tensors by modality name, and which of them are observed.

    Build one with `Batch.of`, which checks; the constructor itself takes what it is given. It is not to be changed
    afterwards: views share tensors. (It is no frozen dataclass because Lightning, which converts the tensors of a batch
    for `precision="64-true"` and the like, refuses those.)

    Args:
        data: `data[name]` has shape `(B, *event)`.
        observed: `observed[name]` is a bool tensor of shape `(*lead, B)` that broadcasts over the leading
            dimensions, such as the rows of an objective.
        zeroed: whether what is not observed is known to be zero in `data`. Model and guide otherwise put zeros there
            when they read it: a masked NaN gives a finite loss with NaN gradients, and an encoder with batch
            statistics shows a sample what its neighbours hide.
    """

    data: Mapping[str, Tensor]
    observed: Mapping[str, Tensor]
    zeroed: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any], observed: Mapping[str, Any] | None = None) -> Self:
        """Build a checked batch; values that are not observed are replaced by zeros.

        Tensors and NumPy arrays keep their type, lists get PyTorch's default types. What type it is does not matter
        much: encoders and likelihoods read floats and booleans as the type of their own parameters. Whole numbers reach
        an encoder as they are, as they may be indices.

        Args:
            data: tensors, NumPy arrays or lists of shape `(B, *event)` with one B, which may be zero.
            observed: booleans of shape `(B,)`, as tensors, arrays or lists; a name that is left out is observed
                throughout.

        Raises:
            ValueError: no modality at all, a name that a modality cannot have, values that are no real numbers or
                require gradients, unequal batch sizes or devices, a mask for an unknown modality or of the wrong
                shape or type, or (for tensors on the CPU) a NaN or infinity in an observed value.
        """
        check_mapping(data, "data of a batch")
        if not data:
            raise ValueError("a batch needs at least one modality, got none")
        data = {name: to_tensor(name, value) for name, value in data.items()}
        devices = {name: str(value.device) for name, value in data.items()}
        if len(set(devices.values())) > 1:
            raise ValueError(f"expected tensors on one device, got {devices}")
        sizes = {name: value.shape[0] if value.dim() else None for name, value in data.items()}
        first = next(iter(sizes.values()))
        # Compared one by one: a size that `torch.export` leaves open cannot be hashed.
        if None in sizes.values() or any(size != first for size in sizes.values()):
            raise ValueError(f"expected tensors of shape (B, *event) with one batch size B, got {sizes}")
        if observed is not None:
            check_mapping(observed, "observed of a batch")
        given = dict(observed or {})
        if unknown := set(given) - set(data):
            raise ValueError(f"masks for modalities that are not in data: {sorted(unknown)}; data has {sorted(data)}")
        masks = {name: to_mask(name, value, given.get(name)) for name, value in data.items()}
        filled = {name: zero_filled(value, masks[name]) for name, value in data.items()}
        for name, value in filled.items():
            if value.device.type == "cpu":  # batches are built on the host; an accelerator would have to be waited for
                refuse_nonfinite(name, value)
        return cls(filled, masks, zeroed=True)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities, in the order they were given."""
        return tuple(self.data)

    @property
    def size(self) -> int:
        """Number of samples, B."""
        # Not made an int: `torch.export` would take that for a fixed size.
        return next(iter(self.data.values())).shape[0]

    @property
    def device(self) -> torch.device:
        """Device of the data."""
        return next(iter(self.data.values())).device

    def only(self, names: str | Iterable[str]) -> Batch:
        """Return the batch with these modalities alone.

        Args:
            names: one name or several.

        Raises:
            ValueError: a name that the batch does not hold, or one twice.
        """
        keep = self._known(names, "only")
        return Batch({n: self.data[n] for n in keep}, {n: self.observed[n] for n in keep}, self.zeroed)

    def seen(self, masks: Mapping[str, Tensor]) -> Batch:
        """Return the batch as someone sees it who may look at less: masks are combined by logical and.

        Args:
            masks: `masks[name]` is boolean and broadcasts against `(*lead, B)`, e.g. `(T, 1)` for T subsets of
                modalities at once. Modalities without a mask are left out.

        Raises:
            ValueError: a mask for what the batch does not hold, or one that is not boolean.
        """
        check_mapping(masks, "masks of seen")
        names_of(masks, "masks of seen", known=self.data)
        if wrong := {n: str(getattr(m, "dtype", type(m).__name__)) for n, m in masks.items() if not _is_bool(m)}:
            raise ValueError(f"masks of seen: expected bool tensors, got {wrong}")
        names = [name for name in self.data if name in masks]
        # Encoders run once for all rows, on what the batch itself has: zeros only where that lacks it.
        data = self.zero_filled().data
        return Batch({n: data[n] for n in names}, {n: self.observed[n] & masks[n] for n in names}, zeroed=True)

    def given(self, names: str | Iterable[str]) -> Batch:
        """Return the batch with every other modality hidden; the hidden ones stay in the data, masked.

        Args:
            names: one name or several, or none.

        Raises:
            ValueError: a name that the batch does not hold, or one twice.
        """
        visible = self._known(names, "given")
        masks = {n: mask if n in visible else torch.zeros_like(mask) for n, mask in self.observed.items()}
        return Batch(self.data, masks, zeroed=self.zeroed and len(visible) == len(masks))

    def zero_filled(self) -> Batch:
        """Return the batch with zeros where a value is not observed, on whatever leading dimensions."""
        if self.zeroed:
            return self
        return Batch({n: zero_filled(v, self.observed[n]) for n, v in self.data.items()}, self.observed, zeroed=True)

    def differentiable(self) -> Batch:
        """Return the batch with copies of the tensors that were made in inference mode, which autograd refuses.

        Call it outside of inference mode.
        """

        def usual(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {n: v.clone() if v.is_inference() else v for n, v in tensors.items()}

        return Batch(usual(self.data), usual(self.observed), self.zeroed)

    def nothing(self, size: int) -> Batch:
        """Return samples of the same modalities of which nothing is observed."""
        return Batch(
            {n: v.new_zeros(size, *v.shape[1:]) for n, v in self.data.items()},
            {n: m.new_zeros(*m.shape[:-1], size) for n, m in self.observed.items()},
            zeroed=True,
        )

    def _known(self, names: str | Iterable[str], what: str) -> tuple[str, ...]:
        return names_of([names] if isinstance(names, str) else names, what, known=self.data)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on another device."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: value.to(device, non_blocking=non_blocking) for name, value in tensors.items()}

        return Batch(move(self.data), move(self.observed), self.zeroed)

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory (called by `torch.utils.data.DataLoader`)."""
        return Batch(
            {n: v.pin_memory() for n, v in self.data.items()},
            {n: v.pin_memory() for n, v in self.observed.items()},
            self.zeroed,
        )

    def __getitem__(self, rows: slice | Tensor | np.ndarray | list[int] | list[bool]) -> Batch:
        """Return some of the samples; `rows` indexes the batch dimension.

        Raises:
            TypeError: `rows` is a single number, which would drop the batch dimension, a name, or anything else but a
                slice and a vector of whole numbers or booleans.
        """
        if isinstance(rows, str):
            raise TypeError(f"a batch is indexed by samples, got the string {rows!r}; its `data` has {list(self.data)}")
        chosen = _as_index(rows)
        if chosen is None:
            raise TypeError(f"index a batch with a slice or a tensor of rows, got {rows!r}; try batch[i : i + 1]")
        return Batch(
            {n: v[chosen] for n, v in self.data.items()},
            {n: v[..., chosen] for n, v in self.observed.items()},
            self.zeroed,
        )


def _is_bool(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bool


def _as_index(rows: object) -> slice | Tensor | None:
    if isinstance(rows, slice):
        return rows
    if isinstance(rows, np.ndarray | list):
        rows = torch.as_tensor(rows) if len(rows) else torch.zeros(0, dtype=torch.int64)
    whole = (torch.bool, torch.int64, torch.int32)
    return rows if isinstance(rows, Tensor) and rows.dim() == 1 and rows.dtype in whole else None


def batch_of(item: Any) -> Batch:
    """Return the `Batch` of what a data loader gave: itself, or the field `batch` of a larger record.

    Raises:
        TypeError: it is neither.
    """
    found = item if isinstance(item, Batch) else getattr(item, "batch", None)
    if not isinstance(found, Batch):
        raise TypeError(f"expected a Batch or a record with a field `batch`, got {type(item).__name__}")
    return found
