"""Train, evaluate, report: one run of the hand experiment."""

from __future__ import annotations

import textwrap
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from experiments.common import configuration
from experiments.common.runs import (
    BEST,
    CHECKPOINT,
    CONFIG,
    METRICS,
    load_checkpoint,
    lock,
    loss_state,
    versions,
    write_json,
)
from experiments.rhd.build import build_objective, build_pair
from experiments.rhd.config import Config
from experiments.rhd.data import HandData, training_poses
from experiments.rhd.evaluation import Evaluation, evaluate, posteriors_of, predict, table
from experiments.rhd.report import draw_figures
from pyro_mmvae import Guide, Loss, MultimodalVAE
from pyro_mmvae.metrics.pose import mean_pose, pose_errors_mm
from pyro_mmvae.training import History, Training

MEAN_POSE_FILE = "mean_pose.json"
"""The baseline of a run, kept in its folder: it belongs to what the model was trained on."""


class HandTraining(Training):
    """Training that also watches the end-point error of every posterior on the held-out samples."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the bound, and the mean error over all joints in millimetres where a posterior has anything to see."""
        if batch.batch.size == 0:
            return
        super().validation_step(batch, batch_idx)
        subsets = posteriors_of(self.loss.guide)
        true, scale = batch.batch.data["pose"].cpu(), batch.hands.scale.cpu()
        for name, found in predict(self.loss, batch.batch, subsets, ("pose",)).items():
            there = torch.stack([batch.batch.observed[n] for n in subsets[name]]).any(0).cpu()
            if count := int(there.sum()):
                errors = pose_errors_mm(found["pose"].float().cpu()[there], true[there], scale[there])
                value = torch.tensor(float(errors.mean()))
                self.log(f"val/epe_mm|{name}", value, sync_dist=True, batch_size=count, prog_bar=True)


def train(config: Config) -> Path:
    """Train as configured, evaluate the result and write everything into the run folder.

    Args:
        config: resolved.

    Returns:
        The run folder.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: there is nothing to resume.
        ValueError: options that do not fit together, or differ from those of the run to be resumed.
    """
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model, guide = build_pair(config)  # what does not fit is told before anything is written or rendered
    trainer = build_trainer(config, watched=f"val/epe_mm|{guide.inputs[0]}")
    first = getattr(rank_zero_only, "rank", 0) == 0  # known before the processes have met
    with lock(config.run) if first else nullcontext():
        if first:
            _claim(config.run, config)
        _fit_and_finish(config, model, guide, trainer)
    return config.run


def _fit_and_finish(config: Config, model: MultimodalVAE, guide: Guide, trainer: lightning.Trainer) -> None:
    data = HandData(config)
    loss = build_objective(config, _steps(config, data))(model, guide)
    module = HandTraining(
        loss,
        learning_rate=config.learning_rate or 0.0,
        schedule=config.lr_schedule,
        warmup=20,
        seed=config.seed,
    )
    if trainer.is_global_zero:
        print(_announcement(config, loss), flush=True)
    if not (config.resume and _stopped_early(config, trainer)):
        last = str(config.run / CHECKPOINT) if config.resume else None
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    if trainer.is_global_zero:
        finish(config, loss, data, trainer)


def finish(config: Config, loss: Loss, data: HandData, trainer: lightning.Trainer) -> None:
    """Evaluate the trained model and write metrics, table and figures."""
    run, history = config.run, _history(trainer)
    if config.early_stop is not None:
        loss.load_state_dict(loss_state(load_checkpoint(run / BEST), run / BEST))
    average = torch.as_tensor(mean_pose(training_poses(config, data.train_ids)), dtype=torch.float32)
    write_json({"mean_pose": average.tolist()}, run / MEAN_POSE_FILE)
    evaluation = evaluate(loss, config, average, trainer.strategy.root_device)
    seconds = sum(row["seconds"] for row in history.rows)
    samples = sum(row["samples"] for row in history.rows)
    skipped = int(history.rows[-1]["skipped"])
    more = {
        "seconds": seconds,
        "samples_per_second": samples / max(seconds, 1e-9),
        "training_samples": {"used": len(data.train_ids) - skipped, "skipped_in_last_epoch": skipped},
    }
    write_metrics(config, evaluation, run / METRICS, **more)
    if config.figures:
        draw_figures(config, evaluation, history, run / "figures")
    print(f"\n{table(evaluation.metrics, evaluation.baseline)}\n")
    print(f"{evaluation.used} evaluation samples, skipped: {evaluation.skipped or 'none'}")
    if skipped:
        print(f"{skipped} training samples could not be read and were left out of every epoch")
    print(f"metrics: {run / METRICS}" + (f", figures: {run / 'figures'}" if config.figures else ""))


def _history(trainer: lightning.Trainer) -> History:
    return next(c for c in trainer.callbacks if isinstance(c, History))  # type: ignore[attr-defined]


def _stopped_early(config: Config, trainer: lightning.Trainer) -> bool:
    """Whether the run to be resumed had stopped early and only its evaluation is left; its history is then taken."""
    states = load_checkpoint(config.run / CHECKPOINT)["callbacks"]
    stopped = any(state.get("stopped_epoch", 0) > 0 for key, state in states.items() if key.startswith("EarlyStop"))
    if stopped:
        history = _history(trainer)
        history.load_state_dict(states[history.state_key])
    return stopped


def write_metrics(config: Config, evaluation: Evaluation, path: Path, **more: Any) -> None:
    """Write `metrics.json`."""
    write_json(
        {**evaluation.to_dict(), **more, "config": configuration.plain(config), "versions": versions()},
        path,
    )


def build_trainer(config: Config, watched: str) -> lightning.Trainer:
    """Return Lightning's trainer with checkpoints, history, early stop and loggers as configured.

    Args:
        config: of the run.
        watched: metric that decides about an early stop; not the loss, which rises with beta.
    """
    run = config.run
    kept: dict[str, Any] = {"dirpath": run / CHECKPOINT.parent, "enable_version_counter": False}
    callbacks: list[Callback] = [Timed(run / "history.csv"), TQDMProgressBar(refresh_rate=5)]
    if config.early_stop is not None:
        stop = EarlyStopping(watched, patience=config.early_stop)
        # Before the last checkpoint, which is to know what the best one was.
        callbacks += [stop, ModelCheckpoint(**kept, filename=BEST.stem, monitor=watched)]
    callbacks.append(ModelCheckpoint(**kept, filename=CHECKPOINT.stem, save_on_train_epoch_end=True))
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
        self._start, self._samples, self._skipped = time.perf_counter(), 0, 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count samples of all processes."""
        self._samples += batch.batch.size * trainer.world_size
        self._skipped += len(batch.skipped) * trainer.world_size

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a row; validation, which has run by now, is counted as part of the epoch's time."""
        self.extra = {
            "seconds": time.perf_counter() - self._start,
            "samples": float(self._samples),
            "skipped": float(self._skipped),
        }
        super().on_train_epoch_end(trainer, pl_module)


def _announcement(config: Config, loss: Loss) -> str:
    preset = f"hands from {config.data}" if config.data else "demo preset: synthetic hands, minutes on two cores"
    options = "  ".join(f"{name}={value}" for name, value in configuration.plain(config).items() if value is not None)
    lines = textwrap.fill(options, 110, break_long_words=False, break_on_hyphens=False)
    return f"\n{preset}\n{lines}\n\n{loss.elbo}\n\nrun folder: {config.run} (a stopped run goes on with --resume)\n"


def _steps(config: Config, data: HandData) -> int:
    data.prepare_data()
    data.setup("fit")
    return len(data.train_dataloader()) * (config.epochs or 1)


def _claim(run: Path, config: Config) -> None:
    """Take the run folder, a new one or that of the run to be resumed, and write the configuration there."""
    there = (run / CHECKPOINT).exists()
    if config.resume and not there:
        raise FileNotFoundError(f"nothing to resume: {run / CHECKPOINT} does not exist; leave out --resume to begin")
    if there and not config.resume:
        raise FileExistsError(f"{run} holds a run already: go on with --resume, or give another folder with --out")
    if (run / CONFIG).exists():
        _refuse_changes(configuration.read(Config, run / CONFIG), config)
    configuration.write(replace(config, resume=False), run / CONFIG)


_FREE = {"resume", "config", "figures", "workers", "preload", "device", "devices", "nodes", "logger", "out"}
"""Options that may differ between a run and its continuation."""


def _refuse_changes(before: Config, now: Config) -> None:
    old, new = asdict(before), asdict(now)
    changed = {n: (old[n], new[n]) for n in old if n not in _FREE and old[n] != new[n]}
    if changed:
        listed = ", ".join(f"{n}: {a} -> {b}" for n, (a, b) in changed.items())
        raise ValueError(
            f"{before.run} holds a run with other options ({listed}); begin in another folder with --out, "
            f"or go on with the options it began with"
        )
