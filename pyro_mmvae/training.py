"""Training with Lightning: a thin module over a loss that makes a run repeatable."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, Self, get_args

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from pyro_mmvae.batch import batch_of
from pyro_mmvae.compiling import compile_networks
from pyro_mmvae.data.loader import warn_of_early_workers
from pyro_mmvae.freezing import Freezer
from pyro_mmvae.history import History as History
from pyro_mmvae.learning_rate import LearningRate, RateSchedule
from pyro_mmvae.objective import Loss
from pyro_mmvae.place import Place
from pyro_mmvae.sums import Sums

Optimiser = Literal["adam", "rmsprop"]
PLACE = "pyro_mmvae_place"
"""Where in a checkpoint the `Place` is."""
FITS = "pyro_mmvae_fits"
"""Where in a checkpoint the number of fits before is."""


class Training(lightning.LightningModule):
    """Train model and guide on an objective.

    Every batch seeds PyTorch's generator from `(seed, number of the batch, rank)`: the noise differs between ranks and
    batches, those whose gradients are accumulated too, and a run that was killed and resumed from a checkpoint goes on
    with the numbers it would have had. In a phase after the first, its number is part of the seed; in a further `fit`
    of one module, the number of fits before.

    Checkpoints are to be written at the end of an epoch (`ModelCheckpoint(save_on_train_epoch_end=True)`); a run that
    is killed repeats the epoch from its start. A loader with workers is to be an `EpochLoader`, as from `make_loader`.

    Args:
        loss: `objective(model, guide)`. It is the only attribute that holds modules, so that a checkpoint has every
            weight once.
        learning_rate: of the optimiser.
        weight_decay: with Adam decoupled (AdamW), with RMSprop added to the gradient; zero is plain.
        optimiser: "adam" or "rmsprop".
        schedule: of the learning rate: "constant", "cosine" or "exponential"; see `LearningRate`.
        warmup: steps in which the learning rate rises linearly.
        decay: of the exponential schedule.
        seed: of the noise in training.
        trainable: prefixes of the names of parameters of `loss`, whose children are `model` and `guide`. Everything
            else is frozen during `fit`, in truth: see `Freezer`.
        compiled: compile encoders and decoders when they are fitted, see `compile_networks`.

    Attributes:
        place: which phase this is, and what was before it.

    Raises:
        ValueError: unknown options, or parts to train that do not exist. When fitting: a checkpoint from the middle
            of an epoch.
    """

    def __init__(
        self,
        loss: Loss,
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        optimiser: Optimiser = "adam",
        schedule: RateSchedule = "constant",
        warmup: int = 0,
        decay: float = 0.99,
        seed: int = 0,
        trainable: Sequence[str] = ("model", "guide"),
        compiled: bool = False,
    ) -> None:
        super().__init__()
        if optimiser not in get_args(Optimiser):
            raise ValueError(f"unknown optimiser {optimiser!r}; there are {list(get_args(Optimiser))}")
        self.loss = loss
        self.learning_rate, self.weight_decay, self.optimiser = learning_rate, weight_decay, optimiser
        self.rate, self.seed = LearningRate(schedule, warmup, decay), seed
        self.trainable, self.place = tuple(trainable), Place()
        self._freezer = Freezer(loss, self.trainable)
        # As a dictionary: a subclass may have arguments that are no plain values, which a checkpoint cannot hold.
        self.save_hyperparameters(_plain(locals()))
        self.compiled, self._cut = compiled, False
        self._fits = 0
        self._sums = Sums()
        self._handed: set[str] = set()

    def setup(self, stage: str) -> None:
        """Freeze what is not to be trained, and compile networks, if wanted."""
        if stage == "fit":
            self.thaw()
            self._freezer = Freezer(self.loss, self.trainable)
            self._freezer.freeze()
            if self.compiled and not self._fits:
                compile_networks(self.loss.model, self.loss.guide)

    def teardown(self, stage: str) -> None:
        """Undo it."""
        self.thaw()
        self._fits += stage == "fit"

    def configure_callbacks(self) -> list[Callback]:
        """Return what undoes it after a `fit` that was aborted."""
        return [_TeardownWhenAborted()]

    def thaw(self) -> None:
        """Let all parameters and modules be as they were before `fit`."""
        self._freezer.thaw()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note the place in a run of several phases or fits."""
        checkpoint[PLACE], checkpoint[FITS] = asdict(self.place), self._fits
        count = "loss._extra_state"
        if count in checkpoint["state_dict"]:  # callbacks that average weights have put in that of a copy
            checkpoint["state_dict"][count] = self.loss.get_extra_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note whether the checkpoint is of the middle of an epoch; only a fit minds."""
        self._fits = checkpoint.get(FITS, 0)
        epochs = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {})
        self._cut = epochs.get("started") != epochs.get("processed")

    def on_train_start(self) -> None:
        """Put what is frozen into evaluation mode, and refuse to resume with other numbers than a whole run's."""
        if self.trainer.ckpt_path is not None and self._cut:
            raise ValueError(
                f"{self.trainer.ckpt_path} was written in the middle of an epoch, whose order and sums are lost; "
                f"resume from the end of one: ModelCheckpoint(save_on_train_epoch_end=True) without every_n_train_steps"
            )
        if self.current_epoch > 0:
            for loader in self._loaders():
                warn_of_early_workers(loader)
        self._freezer.still()

    def on_train_epoch_start(self) -> None:
        """Let the order of samples go on over phases."""
        self._begin("train/")  # of an epoch that was aborted
        if self.place.first_epoch:
            for loader in self._loaders():
                set_epoch = getattr(getattr(loader, "sampler", None), "set_epoch", None)
                if set_epoch is not None:
                    set_epoch(self.place.first_epoch + self.current_epoch)

    def _loaders(self) -> list[Any]:
        return CombinedLoader(self.trainer.train_dataloader).flattened

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the batch's noise."""
        # By batch, not by epoch: data loaders and loops draw from the same generator when they start.
        later = [self.place.phase, self._fits] if self._fits else [self.place.phase] if self.place.phase else []
        key = [self.seed, self.trainer.fit_loop.total_batch_idx, self.global_rank, *later]
        state = np.random.SeedSequence(key).generate_state(2)
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the loss and its parts on held-out data; a process may have none in its last batch."""
        if batch_of(batch).size:
            self._step(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Log the loss and its parts on test data."""
        if batch_of(batch).size:
            self._step(batch, "test")

    def predict_step(self, batch: Any, batch_idx: int) -> None:
        """Refuse: there are several things to predict.

        Raises:
            NotImplementedError: always; the message says what does it.
        """
        raise NotImplementedError(
            "Trainer.predict does not say what is predicted from what; call "
            "pyro_mmvae.predictive(loss.model, loss.guide, batch, given=[...], of=[...])"
        )

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, loss: Loss | None = None, **kwargs: Any) -> Self:
        """Return the module of a checkpoint, with its weights, its step count and the options it was made with.

        Args:
            checkpoint_path: of the file; nothing in it is executed.
            args: of Lightning.
            loss: made anew as it was made for training. A checkpoint has no structure; `pyro_mmvae.save` writes one.
            kwargs: of Lightning, or options in place of the checkpoint's.

        Raises:
            TypeError: the loss is left out.
        """
        if loss is None:
            raise TypeError(
                "a checkpoint holds weights and no structure: call load_from_checkpoint(path, loss=objective(model, "
                "guide)), or pyro_mmvae.save(folder, model, guide) after training and load(folder)"
            )
        return super().load_from_checkpoint(checkpoint_path, *args, **{"weights_only": True, **kwargs, "loss": loss})

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
        """Log a mean by sum and count: those of an epoch and of all processes are divided, so every sample counts once.

        At the end of the epoch every logger and callback of Lightning has it by its name.

        Args:
            name: of the mean, `train/...`, `val/...` or `test/...`; the same names in all processes.
            total: sum over the samples that have the quantity, a scalar.
            count: number of these samples, a scalar.
        """
        # Added up here: Lightning's own log of some twenty numbers costs as much as the step of a small network.
        self._sums.add(name, total, count)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Hand the epoch's sums to Lightning after its last batch, before any callback looks at them."""
        trainer = self.trainer
        stopped = trainer.should_stop or (trainer.max_steps >= 0 and trainer.global_step >= trainer.max_steps)
        if trainer.is_last_batch or stopped:
            self._flush("train/")

    def on_validation_epoch_end(self) -> None:
        """Hand the sums over the held-out samples to Lightning; a run may be stopped on any of them."""
        self._flush("val/")

    def on_test_epoch_end(self) -> None:
        """Hand the sums over the test samples to Lightning."""
        self._flush("test/")

    def _begin(self, stage: str) -> None:
        """Forget what an earlier epoch had: its sums, if it was aborted, and its means.

        Lightning keeps the mean of an earlier epoch where there is none in this one; a resumed run would not have it.
        """
        self._sums.forget(stage)
        for name in [name for name in self._handed if name.startswith(stage)]:
            self.trainer.callback_metrics.pop(name, None)
            self._handed.discard(name)

    def _flush(self, stage: str) -> None:
        """Log the means of a stage, over the samples of all processes; a mean over nothing is left out."""
        names, sums = self._sums.take(stage)
        if not names:
            return
        # One wait for the device in an epoch.
        means = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        for name, (total, count) in zip(names, means, strict=True):
            if count:
                self._handed.add(name)
                self.log(name, total / count, on_step=False, on_epoch=True, batch_size=1)

    def on_validation_start(self) -> None:
        """Look for divergence before a held-out sample meets a broken network."""
        self._begin("val/")
        self._refuse_divergence()

    def on_test_start(self) -> None:
        """Begin anew."""
        self._begin("test/")

    def on_train_epoch_end(self) -> None:
        """Look for divergence before a checkpoint is written; that of the epoch before is still good."""
        self._flush("train/")  # of an epoch that a validation in its middle has ended
        self._refuse_divergence()

    def _refuse_divergence(self) -> None:
        # Once an epoch: looking at every step's value would wait for the device.
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters()):
            raise FloatingPointError(
                f"parameters became NaN or infinite in epoch {self.current_epoch}. Lower the learning rate, clip "
                f"gradients, or look for bad values in the data; the checkpoint of the epoch before is intact"
            )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser of what is trained, and the schedule of its learning rate."""
        optimiser = self._make_optimiser([parameter for parameter in self.parameters() if parameter.requires_grad])
        lengths = self._lengths() if self.rate.schedule != "constant" else ()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: self.rate.factor(step, *lengths))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _make_optimiser(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        options: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        if self.optimiser == "rmsprop":
            return torch.optim.RMSprop(parameters, **options)
        return torch.optim.AdamW(parameters, fused=self._can_fuse(), **options)

    def _can_fuse(self) -> bool:
        """Whether Adam may run as one kernel, which is faster; Lightning cannot clip it under mixed precision."""
        clipped_mixed = bool(self.trainer.gradient_clip_val) and "mixed" in str(self.trainer.precision)
        return not clipped_mixed and {parameter.device.type for parameter in self.parameters()} <= {"cpu", "cuda"}

    def _lengths(self) -> tuple[float, float]:
        """Return the steps of the fit and those of an epoch."""
        total = self.trainer.estimated_stepping_batches  # it makes the loaders, if there are none yet
        batches = self.trainer.num_training_batches
        if not math.isinf(batches):
            return total, math.ceil(batches / self.trainer.accumulate_grad_batches)
        if self.rate.schedule == "exponential":
            raise ValueError(
                "the exponential schedule needs to know the length of an epoch; give max_epochs and a sized loader"
            )
        return total, math.inf


class _TeardownWhenAborted(Callback):
    """Undoes what a fit began that raised or was interrupted: Lightning does not tear it down."""

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Tear down."""
        if isinstance(pl_module, Training):
            pl_module.teardown("fit" if trainer.state.fn == TrainerFn.FITTING else "")


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what loggers write and `load_from_checkpoint` restores: the options of `Training`."""
    names = inspect.signature(Training.__init__).parameters
    return {name: arguments[name] for name in names if name not in ("self", "loss", "trainable")} | {
        "trainable": list(arguments["trainable"])
    }
