"""A mini-batch of several modalities, some of which may be missing for some samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Tensors by modality name, and which of them are observed.

    Build one with `Batch.of`, which checks; the constructor itself takes what it is given.

    Args:
        data: `data[name]` has shape `(B, *event)`. What is not observed holds zeros, never NaN: a masked NaN
            gives a finite loss with NaN gradients.
        observed: `observed[name]` is a bool tensor of shape `(*lead, B)` that broadcasts over the leading
            dimensions, such as the rows of an objective.
    """

    data: Mapping[str, Tensor]
    observed: Mapping[str, Tensor]

    @classmethod
    def of(cls, data: Mapping[str, Tensor], observed: Mapping[str, Tensor] | None = None) -> Self:
        """Build a checked batch; values that are not observed are replaced by zeros.

        Args:
            data: tensors of shape `(B, *event)` with one B.
            observed: bool tensors of shape `(B,)`; a name that is left out is observed throughout.

        Raises:
            ValueError: no modality at all, unequal batch sizes, a mask for an unknown modality or of the wrong
                shape or type, or (for tensors on the CPU) a NaN or infinity in an observed value.
        """
        if not data:
            raise ValueError("a batch needs at least one modality, got none")
        sizes = {name: value.shape[0] if value.dim() else None for name, value in data.items()}
        if None in sizes.values() or len(set(sizes.values())) != 1:
            raise ValueError(f"expected tensors of shape (B, *event) with one batch size B, got {sizes}")
        given = dict(observed or {})
        if unknown := set(given) - set(data):
            raise ValueError(f"masks for modalities that are not in data: {sorted(unknown)}; data has {sorted(data)}")
        masks = {name: _checked_mask(name, value, given.get(name)) for name, value in data.items()}
        filled = {name: _zero_filled(value, masks[name]) for name, value in data.items()}
        for name, value in filled.items():
            _refuse_nonfinite(name, value)
        return cls(filled, masks)

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

    def only(self, names: Iterable[str]) -> Batch:
        """Return the batch with these modalities alone; names that it does not hold are left out."""
        keep = [name for name in names if name in self.data]
        return Batch({n: self.data[n] for n in keep}, {n: self.observed[n] for n in keep})

    def seen(self, masks: Mapping[str, Tensor]) -> Batch:
        """Return the batch as someone sees it who may look at less: masks are combined by logical and.

        Args:
            masks: `masks[name]` broadcasts against `(*lead, B)`, e.g. `(T, 1)` for T subsets of modalities at
                once. Modalities without a mask are hidden.
        """
        names = [name for name in self.data if name in masks]
        return Batch({n: self.data[n] for n in names}, {n: self.observed[n] & masks[n] for n in names})

    def given(self, names: Iterable[str]) -> Batch:
        """Return the batch with every other modality hidden; the hidden ones stay in the data, masked."""
        visible = set(names)
        masks = {n: torch.full_like(self.observed[n], n in visible) for n in self.data}
        return Batch(self.data, {n: self.observed[n] & masks[n] for n in self.data})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on another device."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: value.to(device, non_blocking=non_blocking) for name, value in tensors.items()}

        return Batch(move(self.data), move(self.observed))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory (called by `torch.utils.data.DataLoader`)."""
        return Batch(
            {n: v.pin_memory() for n, v in self.data.items()}, {n: v.pin_memory() for n, v in self.observed.items()}
        )

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        """Return some of the samples; `rows` indexes the batch dimension.

        Raises:
            TypeError: `rows` is a single number, which would drop the batch dimension.
        """
        if not isinstance(rows, slice | Tensor) or (isinstance(rows, Tensor) and rows.dim() == 0):
            raise TypeError(f"index a batch with a slice or a tensor of rows, got {rows!r}; try batch[i : i + 1]")
        return Batch({n: v[rows] for n, v in self.data.items()}, {n: v[..., rows] for n, v in self.observed.items()})


def _checked_mask(name: str, value: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.ones(value.shape[0], dtype=torch.bool, device=value.device)
    if mask.dtype != torch.bool or mask.shape != value.shape[:1]:
        raise ValueError(
            f"observed[{name!r}]: expected a bool tensor of shape {tuple(value.shape[:1])}, "
            f"got {mask.dtype} of shape {tuple(mask.shape)}"
        )
    return mask


def _zero_filled(value: Tensor, mask: Tensor) -> Tensor:
    shaped = mask.reshape(mask.shape + (1,) * (value.dim() - 1))
    return torch.where(shaped, value, torch.zeros((), dtype=value.dtype, device=value.device))


def _refuse_nonfinite(name: str, value: Tensor) -> None:
    # On an accelerator the check would wait for the device; batches are built on the host.
    if value.device.type != "cpu" or not value.is_floating_point():
        return
    bad = ~torch.isfinite(value.flatten(1)).all(dim=1) if value.dim() > 1 else ~torch.isfinite(value)
    if bool(bad.any()):
        rows = bad.nonzero().flatten().tolist()
        raise ValueError(
            f"{name!r} holds NaN or infinite values in samples {rows[:8]}{'...' if len(rows) > 8 else ''}; "
            f"mark missing values in `observed` or clean the data"
        )


def batch_of(item: Any) -> Batch:
    """Return the `Batch` of what a data loader gave: itself, or the field `batch` of a larger record.

    Raises:
        TypeError: it is neither.
    """
    found = item if isinstance(item, Batch) else getattr(item, "batch", None)
    if not isinstance(found, Batch):
        raise TypeError(f"expected a Batch or a record with a field `batch`, got {type(item).__name__}")
    return found
