"""Lightning's trainer as a run's options want it, and the fit of a new, resumed or finished run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from pyro_mmvae import Guide, MultimodalVAE
from pyro_mmvae.checkpoints import MovableCheckpoint, WholeFiles, load_checkpoint, loss_state
from pyro_mmvae.experiments.common.experiment import Experiment, RunData
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.common.run_folder import BEST, CHECKPOINT, HISTORY
from pyro_mmvae.history import Timed
from pyro_mmvae.phases import Fitted, Phase, fit_phases
from pyro_mmvae.tensor_files import load_weights


def build_trainer(config: RunConfig, watched: str, epochs: int) -> lightning.Trainer:
    """Return Lightning's trainer with checkpoints, history, early stop and loggers as configured.

    Args:
        config: of the run.
        watched: metric that decides about an early stop, at its least; one that does not change its meaning in
            training, as the loss does while beta rises.
        epochs: of the phase.
    """
    run = config.run
    kept: dict[str, Any] = {"dirpath": run / CHECKPOINT.parent, "enable_version_counter": False}
    callbacks: list[Callback] = [Timed(run / HISTORY), TQDMProgressBar(refresh_rate=10)]
    if config.early_stop is not None:
        stop = EarlyStopping(watched, patience=config.early_stop)
        # Before the last checkpoint, which is to know what the best one was.
        callbacks += [stop, MovableCheckpoint(**kept, filename=BEST.stem, monitor=watched)]
    callbacks.append(MovableCheckpoint(**kept, filename=CHECKPOINT.stem, save_on_train_epoch_end=True))
    several = config.num_processes > 1
    return lightning.Trainer(
        accelerator=config.device,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and torch.cuda.is_available() and config.device != "cpu",
        precision=config.precision,  # type: ignore[arg-type]
        max_epochs=epochs,
        gradient_clip_val=config.clip or None,
        callbacks=callbacks,
        plugins=[WholeFiles()],
        logger=TensorBoardLogger(run, name="tensorboard") if config.logger == "tensorboard" else False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=10,
        enable_model_summary=False,
    )


def fit(
    experiment: Experiment[Any], phases: Sequence[Phase], model: MultimodalVAE, guide: Guide, data: RunData
) -> Fitted:
    """Train all phases to the end, from the last checkpoint if the run is resumed.

    What comes back holds the run's result: with an early stop the best checkpoint, else the last step.
    """
    config = experiment.config
    fitted = fit_phases(
        phases,
        model,
        guide,
        data,
        make_trainer=lambda phase, _: build_trainer(config, experiment.watched, phase.epochs),
        make_training=lambda loss, *_: experiment.training(loss),
        last=config.run / CHECKPOINT if config.resume else None,
    )
    if config.early_stop is not None and fitted.trainer.is_global_zero:
        best = config.run / BEST
        load_weights(fitted.training.loss, loss_state(load_checkpoint(best), best), f"{best} does not fit the run")
    return fitted
