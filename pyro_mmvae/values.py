"""Values of a modality on their way in: from arrays and lists to tensors, and from a batch to what networks read."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pyro_mmvae.batch import Batch

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_WIDE_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def to_tensor(name: str, value: Any) -> Tensor:
    """Return the values of a modality as a tensor.

    Args:
        name: of the modality.
        value: a tensor; a NumPy array or what NumPy makes one of, which keeps its type; or a list of numbers, which get
            PyTorch's default types, or of tensors.

    Raises:
        ValueError: it is no array of real numbers, or requires gradients.
    """
    tensor = value if isinstance(value, Tensor) else _from_array(name, value)
    if tensor.requires_grad:
        raise ValueError(f"{name!r}: data that require gradients are not trained on; pass `{name}.detach()`")
    if tensor.dtype in _WIDE_UNSIGNED:
        tensor = tensor.to(torch.int64)
    if tensor.layout != torch.strided or tensor.dtype not in (torch.bool, *_INTEGERS, *_FLOATS):
        raise ValueError(
            f"{name!r}: expected a dense tensor of real numbers, got one of {tensor.dtype}, {tensor.layout}; convert it"
        )
    return tensor


def _from_array(name: str, value: Any) -> Tensor:
    try:
        if isinstance(value, list | tuple) and value and all(isinstance(item, Tensor) for item in value):
            return torch.stack(list(value))
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name!r}: expected values of one shape for all samples, got others: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name!r}: expected an array of real numbers, got {type(value).__name__} of type {array.dtype}; "
            f"make numbers of it, class labels by their index"
        )
    if not hasattr(value, "dtype") and array.dtype.kind == "f":
        return torch.tensor(array, dtype=torch.get_default_dtype())
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # A copy: of other strides, in the machine's byte order, and writeable.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def to_mask(name: str, value: Tensor, mask: Any) -> Tensor:
    """Return which values of a modality are observed, bool `(B,)` on their device; all when `mask` is None.

    Raises:
        ValueError: it is not boolean, or has another shape.
    """
    if mask is None:
        return torch.ones(value.shape[0], dtype=torch.bool, device=value.device)
    found = mask if isinstance(mask, Tensor) else torch.from_numpy(np.array(_as_array(name, mask)))
    if found.dtype != torch.bool or found.shape != value.shape[:1]:
        # Numbers might be weights, or the places of samples.
        raise ValueError(
            f"observed[{name!r}]: expected a bool tensor of shape {tuple(value.shape[:1])}, or such an array or "
            f"list, got {found.dtype} of shape {tuple(found.shape)}; for zeros and ones write `mask > 0`"
        )
    return found.to(value.device)


def _as_array(name: str, mask: Any) -> np.ndarray:
    try:
        array = np.asarray(mask, dtype=bool if isinstance(mask, list | tuple) and not mask else None)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"observed[{name!r}]: expected booleans, one for each sample, got {mask!r}") from error
    if array.dtype.kind not in "bfiu":
        raise ValueError(f"observed[{name!r}]: expected booleans, one for each sample, got {mask!r}")
    return array


def zero_filled(value: Tensor, mask: Tensor) -> Tensor:
    """Return values `(B, *event)` with zeros where `mask`, bool `(*lead, B)`, is False throughout."""
    seen = mask.flatten(0, -2).any(0) if mask.dim() > 1 else mask
    shaped = seen.reshape(seen.shape + (1,) * (value.dim() - 1))
    return torch.where(shaped, value, torch.zeros((), dtype=value.dtype, device=value.device))


def bad_rows(fine: Tensor) -> str:
    """Return the samples of which something is False, for a message. Waits for the device.

    Args:
        fine: bool, shape `(B, *event)`.
    """
    rows = (~_by_sample(fine)).nonzero().flatten().tolist()
    return f"{rows[:8]}{'...' if len(rows) > 8 else ''}"


def refuse_nonfinite(name: str, value: Tensor) -> None:
    """Refuse NaN and infinity. Waits for the device; a graph that is being traced has no values to look at.

    Raises:
        ValueError: there is one; the message has the samples.
    """
    if torch.compiler.is_compiling():
        return
    if value.is_floating_point() and not bool((fine := torch.isfinite(value)).all()):
        raise ValueError(
            f"{name!r} holds NaN or infinite values, or some beyond the range of {value.dtype}, in samples "
            f"{bad_rows(fine)}; mark missing values in `observed` or clean the data"
        )


def _by_sample(fine: Tensor) -> Tensor:
    return fine.flatten(1).all(1) if fine.dim() > 1 else fine


def floats_of(module: nn.Module) -> Tensor | None:
    """Return the first parameter or buffer of floats, whose type and device count as the module's; None without any."""
    return next((t for t in chain(module.parameters(), module.buffers()) if t.is_floating_point()), None)


def read(batch: Batch, name: str, reader: nn.Module, default: torch.dtype, *, integers: bool) -> Tensor:
    """Return a modality's values as a network or a likelihood reads them.

    They are zero where nobody may look at them; booleans and floats of another type are converted to the type of the
    reader's parameters. Nothing waits for an accelerator.

    Args:
        batch: holds the modality.
        name: of the modality.
        reader: its parameters have the type that is wanted, and lie on the device.
        default: the type if it has none.
        integers: whether whole numbers stay what they are. They may be indices, to be looked up.

    Raises:
        ValueError: the values lie on another device, or are beyond the range of the type.
    """
    value = batch.data[name] if batch.zeroed else zero_filled(batch.data[name], batch.observed[name])
    like = floats_of(reader)
    if like is not None and like.device != value.device:
        raise ValueError(
            f"{name!r} lies on {value.device}, its network on {like.device}; move the batch, "
            f"`batch.to({str(like.device)!r})`, or the model and the guide"
        )
    dtype = default if like is None else like.dtype
    if value.dtype == dtype or (integers and value.dtype in _INTEGERS):
        return value
    found = value.to(dtype)
    if value.is_floating_point() and torch.finfo(value.dtype).max > torch.finfo(dtype).max:
        _refuse_overflow(name, value, found)
    return found


def _refuse_overflow(name: str, value: Tensor, found: Tensor) -> None:
    # On an accelerator the look would wait for it, and a graph that is being traced has no values.
    if value.device.type != "cpu" or torch.compiler.is_compiling():
        return
    if not bool((fine := found.isfinite() | ~value.isfinite()).all()):
        raise ValueError(
            f"{name!r} holds values beyond the range of {found.dtype}, which its network has, in samples "
            f"{bad_rows(fine)}; scale the data, or mark missing values in `observed`"
        )
