"""Lightning's trainer as a run's options want it, and the fit of a new, resumed or finished run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from pyro_mmvae.experiments.common.history import Timed, history_of
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.common.run_folder import BEST, CHECKPOINT, HISTORY, load_checkpoint, loss_state
from pyro_mmvae.training import Training


def build_trainer(config: RunConfig, watched: str) -> lightning.Trainer:
    """Return Lightning's trainer with checkpoints, history, early stop and loggers as configured.

    Args:
        config: of the run.
        watched: metric that decides about an early stop, at its least; one that does not change its meaning in
            training, as the loss does while beta rises.
    """
    run = config.run
    kept: dict[str, Any] = {"dirpath": run / CHECKPOINT.parent, "enable_version_counter": False}
    callbacks: list[Callback] = [Timed(run / HISTORY), TQDMProgressBar(refresh_rate=10)]
    if config.early_stop is not None:
        stop = EarlyStopping(watched, patience=config.early_stop)
        # Before the last checkpoint, which is to know what the best one was.
        callbacks += [stop, ModelCheckpoint(**kept, filename=BEST.stem, monitor=watched)]
    callbacks.append(ModelCheckpoint(**kept, filename=CHECKPOINT.stem, save_on_train_epoch_end=True))
    several = config.num_processes > 1
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


def fit(config: RunConfig, trainer: lightning.Trainer, module: Training, data: lightning.LightningDataModule) -> None:
    """Train to the end, from the last checkpoint if the run is resumed; the module then holds the run's result.

    With an early stop that is the best checkpoint, else the last step.
    """
    if not (config.resume and _stopped_early(config, trainer)):
        last = str(config.run / CHECKPOINT) if config.resume else None
        with interrupts(trainer):
            trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    if config.early_stop is not None and trainer.is_global_zero:
        best = config.run / BEST
        module.loss.load_state_dict(loss_state(load_checkpoint(best), best))


@contextmanager
def interrupts(trainer: lightning.Trainer) -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: Lightning ends the process as if something had failed, and ignores the key from then on."""
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None


def _stopped_early(config: RunConfig, trainer: lightning.Trainer) -> bool:
    """Whether the run to be resumed had stopped early and only its evaluation is left; its history is then taken."""
    states = load_checkpoint(config.run / CHECKPOINT)["callbacks"]
    stopped = any(state.get("stopped_epoch", 0) > 0 for key, state in states.items() if key.startswith("EarlyStop"))
    if stopped:
        history = history_of(trainer)
        history.load_state_dict(states[history.state_key])
    return stopped
