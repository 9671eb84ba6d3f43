"""Files of tensors that PyTorch has written, from anybody: nothing in them runs, and damage is noticed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_LONGEST = 300


def read_tensors(path: str | Path, map_location: Any = "cpu", *, old_format: bool = False) -> dict[Any, Any]:
    """Return the mapping of tensors and plain values that `torch.save` wrote into a file.

    The archive is compared with its own checksums, at which PyTorch does not look. No tensor is larger than the file.

    Args:
        path: of the file.
        map_location: see `torch.load`.
        old_format: also take files as PyTorch wrote them before 1.6, which have no checksums.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, even by a single bit, or holds anything but a mapping of tensors and plain values.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        if not old_format or _is_archive(path):
            _verify(path)
        content = torch.load(path, map_location=map_location, weights_only=True)
        _check_kinds(content, path.stat().st_size)
    except Exception as error:  # zipfile and PyTorch let through whatever they stumble over in a damaged file
        raise ValueError(f"{path} is not a file of tensors that can be loaded safely: {_reason(error)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a mapping of tensors, got {type(content).__name__}")
    return content


def read_weights(path: str | Path, *, old_format: bool = False) -> dict[str, Tensor]:
    """Return the state dict in a file: `read_tensors`, and nothing but finite tensors by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds anything else.
    """
    state = {str(name): value for name, value in read_tensors(path, old_format=old_format).items()}
    check_weights(state, path)
    return state


def check_weights(state: Mapping[str, Any], path: str | Path) -> None:
    """Refuse what cannot be weights.

    Args:
        state: values by name.
        path: where they are from, for messages.

    Raises:
        ValueError: something is no tensor, or NaN or infinite.
    """
    if other := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise ValueError(f"{path}: expected tensors alone, got {type(state[other[0]]).__name__} for {other[0]}")
    if bad := [name for name, value in state.items() if not bool(torch.isfinite(value).all())]:
        raise ValueError(f"{path} holds weights that are NaN or infinite: {', '.join(bad[:3])}")


def load_weights(module: nn.Module, state: Mapping[str, Any], misfit: str) -> None:
    """Load a state dict into a module that it must fit in every name and shape.

    Args:
        module: takes the values.
        state: values by name.
        misfit: what to say if it does not fit; the first reasons follow.

    Raises:
        ValueError: it does not fit.
    """
    try:
        module.load_state_dict(state)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:  # hooks may look at values before shapes
        reasons = in_one_line(error)
        raise ValueError(f"{misfit}: {reasons.partition('state_dict for ')[2] or reasons}") from error


def in_one_line(error: Exception) -> str:
    """Return what an error says, in one line of bounded length."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


def _reason(error: Exception) -> str:
    """Return what is wrong, without PyTorch's advice to run what is in the file."""
    words = in_one_line(error)
    _, found, refused = str(error).partition("WeightsUnpickler error: ")
    return refused.partition("\n")[0].partition(" Please use")[0][:_LONGEST] if found else words


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"  # PyTorch opens archives that `zipfile.is_zipfile` does not know for such


def _verify(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("expected an archive that is not compressed, as PyTorch writes it")
        if damaged := archive.testzip():
            raise ValueError(f"the part {damaged} of it is damaged")


def _check_kinds(content: Any, size: int) -> None:
    """Refuse tensors that are more than values: expanded ones cost any amount of memory where they are looked at."""
    for tensor in _tensors(content):
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            raise ValueError(f"expected plain tensors, got a {tensor.layout} one of {tensor.dtype} on {tensor.device}")
        if (needed := tensor.numel() * tensor.element_size()) > size:
            raise ValueError(f"expected tensors that are no larger than the file, got one of {needed} bytes")


def _tensors(content: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested containers; each container is looked at once, however often it appears."""
    left, seen = [content], set()
    while left:
        value = left.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            left += [*value, *value.values()] if isinstance(value, Mapping) else value
