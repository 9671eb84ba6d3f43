"""Metrics of a training run by epoch, one table over all parts of a resumed run and over all its phases."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from pyro_mmvae.batch import batch_of
from pyro_mmvae.files import replace_file
from pyro_mmvae.place import Place


class History(Callback):
    """Metrics by epoch, kept in the checkpoint and written as CSV, so that a resumed run has one history.

    In a run of several phases epochs and steps count on from one phase to the next, and the column `phase` says which
    it was, from 0.

    Args:
        path: the CSV file, rewritten after every epoch.

    Attributes:
        rows: one mapping of metric to value for each epoch.
        extra: what a subclass wants to have in the next row.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []
        self.extra: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a row; validation has run by now."""
        metrics = {name: float(v) for name, v in trainer.callback_metrics.items() if "/" in name}
        place: Place = getattr(pl_module, "place", Place())
        epoch, step = place.first_epoch + trainer.current_epoch, place.first_step + trainer.global_step
        phase = {"phase": float(place.phase)} if place.phases > 1 else {}
        self.rows.append({"epoch": float(epoch), "step": float(step), **phase, **metrics, **self.extra})
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        replace_file(self.path, self._write_to)

    def _write_to(self, path: Path) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of a checkpoint."""
        self.rows = [dict(row) for row in state_dict["rows"]]

    def series(self, name: str) -> tuple[list[float], list[float]]:
        """Return epochs and values of one metric."""
        rows = [row for row in self.rows if name in row]
        return [row["epoch"] for row in rows], [row[name] for row in rows]


class Timed(History):
    """History with the seconds and samples of every epoch, so that a resumed run knows its whole cost."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._start, self._samples, self._skipped = time.perf_counter(), 0, 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count samples of all processes, and those that a batch says it had to leave out."""
        self._samples += batch_of(batch).size * trainer.world_size
        self._skipped += len(getattr(batch, "skipped", ())) * trainer.world_size

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a row; validation, which has run by now, is counted as part of the epoch's time."""
        self.extra = {
            "seconds": time.perf_counter() - self._start,
            "samples": float(self._samples),
            "skipped": float(self._skipped),
        }
        super().on_train_epoch_end(trainer, pl_module)

    @property
    def seconds(self) -> float:
        """Time of training with validation, over all parts of a resumed run."""
        return sum(row["seconds"] for row in self.rows)

    @property
    def skipped(self) -> int:
        """Training samples that the last epoch had to leave out."""
        return int(self.rows[-1]["skipped"])

    def cost(self) -> dict[str, float]:
        """Return what `metrics.json` has of it: seconds, samples per second, and samples that were skipped, if any."""
        samples = sum(row["samples"] for row in self.rows)
        cost = {"seconds": self.seconds, "samples_per_second": samples / max(self.seconds, 1e-9)}
        return cost | ({"skipped_in_last_epoch": self.skipped} if self.skipped else {})


def history_of(trainer: lightning.Trainer) -> Timed:
    """Return the history among a trainer's callbacks."""
    return next(c for c in trainer.callbacks if isinstance(c, Timed))  # type: ignore[attr-defined]
