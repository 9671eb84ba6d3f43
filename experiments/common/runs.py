"""Run folders: their files, versions, checkpoints that are data and never code."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

CONFIG = "config.yaml"
METRICS = "metrics.json"
CHECKPOINT = Path("checkpoints") / "last.ckpt"
BEST = Path("checkpoints") / "best.ckpt"


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Keep a run folder for this process; a process that dies gives it back.

    Raises:
        FileExistsError: another process has it.
    """
    run.mkdir(parents=True, exist_ok=True)
    held = FileLock(run / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        raise FileExistsError(f"another process is writing into {run}; give another folder with --out") from error
    try:
        yield
    finally:
        held.release()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in ("pyro-mmvae", "torch", "torchvision", "pyro-ppl", "lightning", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint without running code from it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}; is this the folder of a run that finished an epoch?")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint that can be loaded safely: {error}") from error
    return content


def loss_state(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the state dict of the `Loss` inside a Lightning checkpoint.

    Raises:
        ValueError: there is none.
    """
    prefix = "loss."
    state = {k.removeprefix(prefix): v for k, v in checkpoint.get("state_dict", {}).items() if k.startswith(prefix)}
    if not state:
        raise ValueError(f"{path} holds no trained model and guide")
    return state
