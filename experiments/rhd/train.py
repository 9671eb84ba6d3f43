"""Train, evaluate, report: one run of the hand experiment."""

from __future__ import annotations

import textwrap
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from experiments.common import configuration
from experiments.common.runs import BEST, CHECKPOINT, CONFIG, METRICS, load_checkpoint, loss_state, versions, write_json
from experiments.rhd.build import build_loss
from experiments.rhd.config import Config
from experiments.rhd.data import HandData
from experiments.rhd.evaluation import Evaluation, evaluate, predict, table
from experiments.rhd.report import draw_figures
from pyro_mmvae import Loss
from pyro_mmvae.metrics.pose import pose_errors_mm
from pyro_mmvae.training import History, Training


class HandTraining(Training):
    """Training that also watches the end-point error of every posterior on the held-out samples.

    Args:
        loss: see `Training`.
        posteriors: subsets by name.
        options: further options of `Training`.
    """

    def __init__(self, loss: Loss, posteriors: dict[str, tuple[str, ...]], **options: Any) -> None:
        super().__init__(loss, **options)
        self.posteriors = posteriors

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the bound, and the mean error over all joints in millimetres."""
        super().validation_step(batch, batch_idx)
        for name, found in predict(self.loss, batch.batch, self.posteriors, ("pose",)).items():
            errors = pose_errors_mm(
                found["pose"].float().cpu(), batch.batch.data["pose"].cpu(), batch.hands.scale.cpu()
            )
            self.log(f"val/epe_mm|{name}", float(errors.mean()), sync_dist=True, batch_size=batch.batch.size)


def train(config: Config) -> Path:
    """Train as configured, evaluate the result and write everything into the run folder.

    Args:
        config: resolved.

    Returns:
        The run folder.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed.
        FileNotFoundError: there is nothing to resume.
        ValueError: options that do not fit together, or differ from those of the run to be resumed.
    """
    run = config.run
    _claim(run, config)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = HandData(config)
    trainer = build_trainer(config)
    loss = build_loss(config, _steps(config, data))
    module = HandTraining(
        loss,
        config.posteriors,
        learning_rate=config.learning_rate,
        schedule=config.lr_schedule,
        warmup=20,
        seed=config.seed,
    )
    if trainer.is_global_zero:
        print(_announcement(config, loss), flush=True)
    trainer.fit(module, datamodule=data, ckpt_path=str(run / CHECKPOINT) if config.resume else None, weights_only=True)
    if trainer.is_global_zero:
        finish(config, loss, trainer)
    trainer.strategy.barrier()
    return run


def finish(config: Config, loss: Loss, trainer: lightning.Trainer) -> None:
    """Evaluate the trained model and write metrics, table and figures."""
    run = config.run
    if config.early_stop is not None:
        loss.load_state_dict(loss_state(load_checkpoint(run / BEST), run / BEST))
    history = next(c for c in trainer.callbacks if isinstance(c, History))  # type: ignore[attr-defined]
    evaluation = evaluate(loss, config, trainer.strategy.root_device)
    seconds = sum(row["seconds"] for row in history.rows)
    samples = sum(row["samples"] for row in history.rows)
    write_metrics(config, evaluation, run / METRICS, seconds=seconds, samples_per_second=samples / max(seconds, 1e-9))
    if config.figures:
        draw_figures(config, evaluation, history, run / "figures")
    print(f"\n{table(evaluation.metrics, evaluation.baseline)}\n")
    print(f"{evaluation.used} evaluation samples, skipped: {evaluation.skipped or 'none'}")
    print(f"metrics: {run / METRICS}" + (f", figures: {run / 'figures'}" if config.figures else ""))


def write_metrics(config: Config, evaluation: Evaluation, path: Path, **more: float) -> None:
    """Write `metrics.json`."""
    write_json(
        {**evaluation.to_dict(), **more, "config": configuration.plain(config), "versions": versions()},
        path,
    )


def build_trainer(config: Config) -> lightning.Trainer:
    """Return Lightning's trainer with checkpoints, history, early stop and loggers as configured."""
    run = config.run
    kept: dict[str, Any] = {"dirpath": run / CHECKPOINT.parent, "enable_version_counter": False}
    callbacks: list[Callback] = [
        Timed(run / "history.csv"),
        ModelCheckpoint(**kept, filename=CHECKPOINT.stem, save_on_train_epoch_end=True),
        TQDMProgressBar(refresh_rate=5),
    ]
    if config.early_stop is not None:
        # Not the loss: it rises with beta.
        watched = f"val/epe_mm|{next(iter(config.posteriors))}"
        callbacks += [
            EarlyStopping(watched, patience=config.early_stop),
            ModelCheckpoint(**kept, filename=BEST.stem, monitor=watched),
        ]
    several = config.devices * config.nodes > 1
    return lightning.Trainer(
        accelerator=config.device,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and torch.cuda.is_available() and config.device != "cpu",
        precision=config.precision,  # type: ignore[arg-type]
        max_epochs=config.epochs,
        gradient_clip_val=config.clip or None,
        callbacks=callbacks,
        logger=TensorBoardLogger(run, name="tensorboard") if config.logger == "tensorboard" else False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=10,
        enable_model_summary=False,
    )


class Timed(History):
    """History with the seconds and samples of every epoch, so that a resumed run knows its whole cost."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._start, self._samples = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count samples of all processes."""
        self._samples += batch.batch.size * trainer.world_size

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a row; validation, which has run by now, is counted as part of the epoch's time."""
        self.extra = {"seconds": time.perf_counter() - self._start, "samples": float(self._samples)}
        super().on_train_epoch_end(trainer, pl_module)


def _announcement(config: Config, loss: Loss) -> str:
    preset = "papers' preset" if config.data else "demo preset: synthetic hands, sized for minutes on two cores"
    options = "  ".join(f"{name}={value}" for name, value in configuration.plain(config).items() if value is not None)
    lines = textwrap.fill(options, 110, break_long_words=False, break_on_hyphens=False)
    return f"\n{preset}\n{lines}\n\n{loss.elbo}\n\nrun folder: {config.run} (a stopped run goes on with --resume)\n"


def _steps(config: Config, data: HandData) -> int:
    data.prepare_data()
    data.setup("fit")
    return len(data.train_dataloader()) * (config.epochs or 1)


def _claim(run: Path, config: Config) -> None:
    """Take the run folder: a new one, or that of the run to be resumed."""
    there = (run / CHECKPOINT).exists()
    if config.resume and not there:
        raise FileNotFoundError(f"nothing to resume: {run / CHECKPOINT} does not exist; leave out --resume to begin")
    if there and not config.resume:
        raise FileExistsError(f"{run} holds a run already: go on with --resume, or give another folder with --out")
    if config.resume:
        _refuse_changes(configuration.read(Config, run / CONFIG), config)
    run.mkdir(parents=True, exist_ok=True)
    configuration.write(config, run / CONFIG)


_FREE = {"resume", "config", "figures", "workers", "preload", "device", "devices", "nodes", "logger", "out"}
"""Options that may differ between a run and its continuation."""


def _refuse_changes(before: Config, now: Config) -> None:
    old, new = asdict(before), asdict(now)
    changed = {n: (old[n], new[n]) for n in old if n not in _FREE and old[n] != new[n]}
    if changed:
        listed = ", ".join(f"{n}: {a} -> {b}" for n, (a, b) in changed.items())
        raise ValueError(f"--resume continues a run with the options it began with, but these changed: {listed}")
