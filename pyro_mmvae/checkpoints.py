"""Checkpoints that are data and never code, that a kill cannot spoil, and whose damage is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from pyro_mmvae.files import replace_file
from pyro_mmvae.tensor_files import check_weights, read_tensors

PREFIX = "loss."
"""What names of weights begin with in a checkpoint of `Training`."""


def load_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Load a checkpoint without running code from it.

    Args:
        path: of the file.
        map_location: see `torch.load`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged, even by a single bit, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}; is this the folder of a run that finished an epoch?")
    return read_tensors(path, map_location)


def loss_state(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the state dict of the `Loss` inside a Lightning checkpoint.

    Args:
        checkpoint: its content.
        path: where it is from, for messages.

    Raises:
        ValueError: there is none, or a weight in it is no tensor, NaN or infinite.
    """
    whole = checkpoint.get("state_dict")
    named = whole.items() if isinstance(whole, Mapping) else ()
    state = {str(k).removeprefix(PREFIX): v for k, v in named if str(k).startswith(PREFIX)}
    if not state:
        raise ValueError(f"{path} holds no trained model and guide")
    check_weights(state, path)
    return state


class WholeFiles(CheckpointIO):
    """Writes checkpoints beside their place and renames them; the one before is kept until then.

    Lightning's own writes them to the folder of temporary files and moves them: from another file system that is a
    copy, and a kill in the middle of it leaves neither the old checkpoint nor the new one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint."""
        replace_file(Path(path), lambda partial: torch.save(checkpoint, partial))

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load a checkpoint; nothing in it is executed, whatever `weights_only` says."""
        return load_checkpoint(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint, if it is there."""
        Path(path).unlink(missing_ok=True)


class MovableCheckpoint(ModelCheckpoint):
    """A `ModelCheckpoint` that knows its best score also when its folder has been moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of a checkpoint; paths become those of the folder of today."""
        old, new = state_dict.get("dirpath"), str(self.dirpath)

        def moved(path: Any) -> Any:
            return str(Path(new, Path(path).name)) if path and old and Path(path).parent == Path(old) else path

        here = {name: moved(value) if name.endswith("_path") else value for name, value in state_dict.items()}
        best = {moved(path): score for path, score in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict({**here, "best_k_models": best, "dirpath": self.dirpath})
