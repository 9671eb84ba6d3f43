"""History of a run, with what each epoch cost."""

from __future__ import annotations

import time
from typing import Any

import lightning

from pyro_mmvae.training import History, batch_of


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
