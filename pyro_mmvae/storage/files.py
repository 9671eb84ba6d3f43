"""Files that are written whole or not at all, and read only if they are what was written."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

STRUCTURE = "structure.json"
WEIGHTS = re.compile(r"weights-[0-9a-f]{16}\.safetensors")
MOST_STRUCTURE = 16 << 20
"""Bytes that a structure may have: several thousand times one of ten modalities."""


def write(folder: Path, structure: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a structure and the weights that belong to it.

    The weights' name is their content's, and the structure, which names them, is put in place last: whoever reads
    finds the old pair or the new one, never halves of both, even if the machine stops in between.

    Raises:
        ValueError: a tensor of a kind that the format does not hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".writing-{uuid4().hex}"
    try:
        separate = {name: value.detach().to("cpu").contiguous().clone() for name, value in tensors.items()}
        draft.touch()
        rights = draft.stat().st_mode
        save_file(separate, draft)
        draft.chmod(rights)  # safetensors makes files their owner's alone
        digest = _digest(draft)
        name = f"weights-{digest[:16]}.safetensors"
        _put(draft, folder / name)
        entry = {"file": name, "sha256": digest}
        draft.write_text(
            json.dumps({**structure, "weights": entry}, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        _put(draft, folder / STRUCTURE)
    except (SafetensorError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"a tensor cannot be written ({error})") from error
    finally:
        draft.unlink(missing_ok=True)
    for path in folder.iterdir():
        if WEIGHTS.fullmatch(path.name) and path.name != name:
            path.unlink(missing_ok=True)


def _put(draft: Path, place: Path) -> None:
    """Flush a file to the disk and give it its name."""
    with open(draft, "rb") as file:
        os.fsync(file.fileno())
    os.replace(draft, place)
    if os.name == "posix":
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_structure(folder: Path) -> dict[str, Any]:
    """Read the structure, as plain values.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no structure, or a damaged one.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder")
    path = folder / STRUCTURE
    if not path.is_file():
        raise ValueError(f"{folder}: expected a folder written by pyro_mmvae.save, it has no {STRUCTURE}")
    if (size := path.stat().st_size) > MOST_STRUCTURE:
        raise ValueError(f"{path}: expected at most {MOST_STRUCTURE} bytes, found {size}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged ({type(error).__name__}: {error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected an object, found a {type(found).__name__}")
    return found


def read_weights(folder: Path, structure: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read the weights that belong to a structure.

    Raises:
        ValueError: they are not there, are damaged, or belong to something else.
    """
    entry = structure.get("weights")
    name, digest = (entry.get("file"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
    if not isinstance(name, str) or not WEIGHTS.fullmatch(name):
        raise ValueError(f"{folder / STRUCTURE}: damaged, it names no file of weights")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"{folder}: the weights are missing, expected the file {name}")
    if (found := _digest(path)) != digest:
        raise ValueError(f"{path}: damaged, or not the weights of this structure (its SHA-256 is {found[:16]}...)")
    try:
        with torch.device("cpu"):
            return load_file(path)
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path}: damaged ({error})") from error


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
