"""Training with Lightning: a thin module over a loss, and the callbacks that make a run repeatable."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.objective import Loss


class Training(lightning.LightningModule):
    """Train model and guide on an objective.

    Every step seeds PyTorch's generator from `(seed, step, rank)`: the noise differs between ranks and steps, and a
    run that was killed and resumed from a checkpoint goes on with the numbers it would have had.

    Args:
        loss: `objective(model, guide)`. It is the only attribute that holds modules, so that a checkpoint has every
            weight once.
        learning_rate: of Adam.
        weight_decay: decoupled (AdamW); zero is plain Adam.
        schedule: "constant", or "cosine": one cycle from the learning rate to zero over the whole run, after a
            linear warm-up of `warmup` steps.
        warmup: steps in which the learning rate rises linearly.
        seed: of the noise in training.
    """

    def __init__(
        self,
        loss: Loss,
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: Literal["constant", "cosine"] = "constant",
        warmup: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule, self.warmup, self.seed = schedule, warmup, seed
        self._totals: dict[str, tuple[Tensor, Tensor]] = {}

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the step's noise."""
        # By step, not by epoch: data loaders and loops draw from the same generator when they start.
        state = np.random.SeedSequence([self.seed, self.global_step, self.global_rank]).generate_state(2)
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the loss and its parts on held-out data."""
        self._step(batch, "val")

    def _step(self, batch: Any, stage: str) -> Tensor:
        inner = batch_of(batch)
        bound = self.loss.bound(inner)
        loss = bound.loss
        self.log_mean(f"{stage}/loss", loss.detach() * inner.size, loss.detach().new_full((), float(inner.size)))
        for name, (total, count) in bound.totals().items():
            self.log_mean(f"{stage}/{name}", total, count)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=max(inner.size, 1))
        return loss

    def log_mean(self, name: str, total: Tensor, count: Tensor) -> None:
        """Log a sum and a count; `History` divides the epoch's, over all processes, so that every sample counts once.

        Args:
            name: of the mean, `train/...` or `val/...`.
            total: sum over the samples that have the quantity, a scalar.
            count: number of these samples, a scalar.
        """
        # Added up here: Lightning's own log of some twenty numbers costs as much as the step of a small network.
        before = self._totals.get(name)
        count = count.to(total)
        self._totals[name] = (total, count) if before is None else (before[0] + total, before[1] + count)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Hand the epoch's sums to Lightning after its last batch, before any callback looks at them."""
        trainer = self.trainer
        stopped = trainer.should_stop or (trainer.max_steps >= 0 and trainer.global_step >= trainer.max_steps)
        if trainer.is_last_batch or stopped:
            self._flush("train/")

    def on_validation_epoch_end(self) -> None:
        """Hand the sums over the held-out samples to Lightning, and their mean loss, on which a run may be stopped."""
        loss = self._totals.get("val/loss")
        self._flush("val/")
        if loss is not None:
            total, count = self.trainer.strategy.reduce(torch.stack(loss), reduce_op="sum")
            self.log("val/loss", total / count.clamp_min(1), logger=False)

    def _flush(self, stage: str) -> None:
        for name in [name for name in self._totals if name.startswith(stage)]:
            for suffix, value in zip((SUM, COUNT), self._totals.pop(name), strict=True):
                self.log(
                    name + suffix, value, on_step=False, on_epoch=True, reduce_fx="sum", sync_dist=True, logger=False
                )

    def on_validation_start(self) -> None:
        """Look for divergence before a held-out sample meets a broken network."""
        self._refuse_divergence()

    def on_train_epoch_end(self) -> None:
        """Look for divergence before a checkpoint is written; that of the epoch before is still good."""
        self._refuse_divergence()

    def _refuse_divergence(self) -> None:
        # Once an epoch: looking at every step's value would wait for the device.
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters()):
            raise FloatingPointError(
                f"parameters became NaN or infinite in epoch {self.current_epoch}. Lower the learning rate, clip "
                f"gradients, or look for bad values in the data; the checkpoint of the epoch before is intact"
            )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam(W) and the schedule of the learning rate."""
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=self._can_fuse()
        )
        total = self.trainer.estimated_stepping_batches if self.schedule == "cosine" else math.inf
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: self._rate(step, total))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _can_fuse(self) -> bool:
        """Whether Adam may run as one kernel, which is faster; Lightning cannot clip it under mixed precision."""
        clipped_mixed = bool(self.trainer.gradient_clip_val) and "mixed" in str(self.trainer.precision)
        return not clipped_mixed and {parameter.device.type for parameter in self.parameters()} <= {"cpu", "cuda"}

    def _rate(self, step: int, total: float) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        if math.isinf(total):
            return 1.0
        share = (step - self.warmup) / max(total - self.warmup, 1)
        return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def batch_of(item: Any) -> Batch:
    """Return the `Batch` of what a data loader gave: itself, or the field `batch` of a larger record.

    Raises:
        TypeError: it is neither.
    """
    found = item if isinstance(item, Batch) else getattr(item, "batch", None)
    if not isinstance(found, Batch):
        raise TypeError(f"expected a Batch or a record with a field `batch`, got {type(item).__name__}")
    return found


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
        if trainer.logger is not None:
            trainer.logger.log_metrics(metrics, trainer.global_step)
        self.rows.append(
            {"epoch": float(trainer.current_epoch), "step": float(trainer.global_step), **metrics, **self.extra}
        )
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
