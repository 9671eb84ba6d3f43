"""Train, evaluate, report: one run of the hand experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch

from pyro_mmvae import Guide, Loss, MultimodalVAE
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.announcement import announcement
from pyro_mmvae.experiments.common.claim import FREE, claimed
from pyro_mmvae.experiments.common.files import write_json
from pyro_mmvae.experiments.common.runs import METRICS, versions
from pyro_mmvae.experiments.common.timed import history_of
from pyro_mmvae.experiments.common.trainer import build_trainer, fit
from pyro_mmvae.experiments.rhd.build import build_objective, build_pair
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import HandData, training_poses
from pyro_mmvae.experiments.rhd.evaluation import Evaluation, evaluate, posteriors_of, predict, table
from pyro_mmvae.experiments.rhd.report import draw_figures
from pyro_mmvae.hands.metrics import mean_pose, pose_errors_mm
from pyro_mmvae.training import Training

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
    # The loss, which rises with beta, could not decide about an early stop.
    trainer = build_trainer(config, watched=f"val/epe_mm|{guide.inputs[0]}")
    with claimed(config, free=FREE | {"workers", "preload"}):
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
        print(announcement(_title(config), config, loss), flush=True)
    fit(config, trainer, module, data)
    if trainer.is_global_zero:
        finish(config, loss, data, trainer)


def finish(config: Config, loss: Loss, data: HandData, trainer: lightning.Trainer) -> None:
    """Evaluate the trained model and write metrics, table and figures."""
    run, history = config.run, history_of(trainer)
    average = torch.as_tensor(mean_pose(training_poses(config, data.train_ids)), dtype=torch.float32)
    write_json({"mean_pose": average.tolist()}, run / MEAN_POSE_FILE)
    evaluation = evaluate(loss, config, average, trainer.strategy.root_device)
    skipped = int(history.rows[-1]["skipped"])
    more = {
        **history.cost(),
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


def write_metrics(config: Config, evaluation: Evaluation, path: Path, **more: Any) -> None:
    """Write `metrics.json`."""
    write_json(
        {**evaluation.to_dict(), **more, "config": configuration.plain(config), "versions": versions()},
        path,
    )


def _title(config: Config) -> str:
    return f"hands from {config.data}" if config.data else "demo preset: synthetic hands, minutes on two cores"


def _steps(config: Config, data: HandData) -> int:
    data.prepare_data()
    data.setup("fit")
    return len(data.train_dataloader()) * (config.epochs or 1)
