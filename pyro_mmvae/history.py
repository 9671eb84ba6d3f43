"""Metrics of a training run by epoch, one table over all parts of a resumed run and over all its phases."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from pyro_mmvae.place import Place

SUM, COUNT = ":sum", ":count"
"""Endings of what `Training.log_mean` logs."""


def _means(logged: Mapping[str, float]) -> dict[str, float]:
    """Divide sums by counts; a mean over nothing is left out, all else stays."""
    found: dict[str, float] = {}
    for name, value in logged.items():
        if name.endswith(SUM):
            mean = name.removesuffix(SUM)
            if count := logged[mean + COUNT]:
                found[mean] = value / count
        elif not name.endswith(COUNT):
            found[name] = value
    return found


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
        metrics = _means({name: float(v) for name, v in trainer.callback_metrics.items() if "/" in name})
        place: Place = getattr(pl_module, "place", Place())
        epoch, step = place.first_epoch + trainer.current_epoch, place.first_step + trainer.global_step
        if trainer.logger is not None:
            trainer.logger.log_metrics(metrics, step)
        phase = {"phase": float(place.phase)} if place.phases > 1 else {}
        self.rows.append({"epoch": float(epoch), "step": float(step), **phase, **metrics, **self.extra})
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(partial, self.path)

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
