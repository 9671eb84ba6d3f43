"""Training in phases: one objective after another, each for some parts of model and guide."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightning
from lightning.pytorch.trainer.connectors import checkpoint_connector

from pyro_mmvae.arguments import check_number
from pyro_mmvae.checkpoints import load_checkpoint, loss_state
from pyro_mmvae.freezing import Freezer
from pyro_mmvae.guide import Guide
from pyro_mmvae.history import History
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.objective import Loss, Objective
from pyro_mmvae.place import Place
from pyro_mmvae.tensor_files import in_one_line, load_weights
from pyro_mmvae.training import PLACE, Training


@dataclass(frozen=True)
class Phase:
    """A part of a training run.

    Args:
        objective: what is trained on.
        epochs: for how many epochs.
        trainable: prefixes of the names of parameters of `Loss`, whose children are `model` and `guide`; all else is
            frozen (see `pyro_mmvae.freezing.Freezer`).
        name: for people.
        learning_rate: of this phase; that of its `Training` when left out.

    Raises:
        ValueError: less than one epoch, or a learning rate that is no number from zero.
    """

    objective: Objective
    epochs: int
    trainable: tuple[str, ...] = ("model", "guide")
    name: str = ""
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"phase {self.name or self.objective}: expected at least one epoch, got {self.epochs}")
        if self.learning_rate is not None:
            check_number(self.learning_rate, "learning_rate")


class Fitted(NamedTuple):
    """What `fit_phases` leaves behind."""

    trainer: lightning.Trainer
    """Of the last phase; its `History` holds all of them."""
    training: Training
    """Of the last phase; `training.loss` is trained."""


def fit_phases(
    phases: Sequence[Phase],
    model: MultimodalVAE,
    guide: Guide,
    data: lightning.LightningDataModule,
    *,
    make_trainer: Callable[[Phase, int], lightning.Trainer],
    make_training: Callable[[Loss, Phase, int], Training] | None = None,
    last: Path | None = None,
) -> Fitted:
    """Train in phases, with one `fit` of Lightning for each.

    A phase begins with the last weights of the one before, and with an optimiser, a learning rate and schedules of
    its own. Epochs, the orders of samples that follow from them, and the rows of `History` count on over all phases.

    A run is resumed from a checkpoint that Lightning's `ModelCheckpoint` wrote at the end of an epoch, in whatever
    phase: it ends with the numbers of a run that was never killed. One file, rewritten by the trainers of all phases,
    is enough. A phase that `EarlyStopping` ended is over.

    Args:
        phases: at least one.
        model: the generative program.
        guide: the inference program.
        data: batches, for all phases.
        make_trainer: makes the trainer of a phase, given its number from 0, with `max_epochs` of the phase's epochs.
            A trainer's callbacks are its own, but every `History` goes on with the rows of the phase before.
        make_training: makes the `Training` of a phase; by default one with its default options. What is trainable is
            the phase's to say, whatever that `Training` says, and so is the learning rate if the phase has one.
        last: the checkpoint from which to resume; None begins anew.

    Raises:
        KeyboardInterrupt: Ctrl-C, which Lightning would turn into the end of the process.
        FileNotFoundError: there is no such checkpoint.
        IncompatibleError: an objective does not fit model and guide.
        ValueError: no phases, parts that do not exist, a trainer that trains for another number of epochs, or a
            checkpoint that is damaged, of something else, or belongs to other phases.
    """
    _refuse_misfits(phases, model, guide)
    make = make_training or (lambda loss, phase, number: Training(loss))
    begun = _begun(last, len(phases)) if last is not None else None
    place = Place(phases=len(phases)) if begun is None else begun.place
    rows: dict[str, Any] = {}
    for number, phase in list(enumerate(phases))[place.phase :]:
        fitted = Fitted(make_trainer(phase, number), make(phase.objective(model, guide), phase, number))
        fitted.training.trainable, fitted.training.place = phase.trainable, place
        if phase.learning_rate is not None:
            fitted.training.learning_rate = phase.learning_rate
        _check_epochs(fitted.trainer, phase, number)
        _give_rows(fitted.trainer, rows)
        if begun is None:
            _fit(fitted, data, None)
            epochs, steps = fitted.trainer.current_epoch, fitted.trainer.global_step
        else:
            epochs, steps = begun.go_on(fitted, phase, data)
            begun = None
        rows = _rows(fitted.trainer)
        place = place.after(epochs, steps)
    return fitted


class _Begun(NamedTuple):
    """A run that is to be resumed."""

    path: Path
    checkpoint: Mapping[str, Any]
    place: Place
    epochs: int
    """Of the phase, that are done."""
    early: bool
    """Whether the phase was stopped early."""

    def go_on(self, fitted: Fitted, phase: Phase, data: lightning.LightningDataModule) -> tuple[int, int]:
        """Finish the phase, and return its epochs and steps."""
        state = loss_state(self.checkpoint, self.path)
        load_weights(fitted.training.loss, state, f"{self.path} is of another model, guide or objective")
        done, early, more = self.epochs, self.early, self.place.phase + 1 < self.place.phases
        if not early and (done < phase.epochs or not more):
            _fit(fitted, data, self.path)
            return fitted.trainer.current_epoch, fitted.trainer.global_step
        _give_rows(fitted.trainer, self.checkpoint["callbacks"])
        return done, self.checkpoint["global_step"]

    @classmethod
    def read(cls, path: Path) -> _Begun:
        """Read a checkpoint.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or Lightning has not written it for a run of `Training`.
        """
        checkpoint = load_checkpoint(path)
        try:
            place = Place(**checkpoint.get(PLACE, {}))
            done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
            begun = cls(path, checkpoint, place, done, stopped_early(checkpoint))
            numbers = (*vars(place).values(), done, checkpoint["global_step"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a checkpoint from which a run goes on ({error!r})") from error
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError(f"{path} is not a checkpoint from which a run goes on: expected counts, got {numbers}")
        return begun


def stopped_early(checkpoint: Mapping[str, Any]) -> bool:
    """Return whether `EarlyStopping` had ended the phase that a checkpoint is of."""
    states = checkpoint["callbacks"].items()
    return any(state.get("stopped_epoch", 0) > 0 for key, state in states if key.startswith("EarlyStopping"))


def _refuse_misfits(phases: Sequence[Phase], model: MultimodalVAE, guide: Guide) -> None:
    """Tell what does not fit before anything is trained."""
    if not phases:
        raise ValueError("expected at least one phase, got none")
    for phase in phases:
        Freezer(phase.objective(model, guide), phase.trainable)


def _begun(last: Path, phases: int) -> _Begun:
    begun = _Begun.read(last)
    if (found := begun.place.phases) != phases:
        raise ValueError(f"{last} belongs to a run of {found} phases, not of {phases}; resume it with its own")
    return begun


def _check_epochs(trainer: lightning.Trainer, phase: Phase, number: int) -> None:
    if trainer.max_epochs != phase.epochs:
        raise ValueError(
            f"phase {number} has {phase.epochs} epochs, but its trainer max_epochs={trainer.max_epochs}; "
            f"give it Trainer(max_epochs=phase.epochs)"
        )


def _fit(fitted: Fitted, data: lightning.LightningDataModule, checkpoint: Path | None) -> None:
    try:
        with _interrupts():
            fitted.trainer.fit(fitted.training, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except Exception as error:
        if checkpoint is None or not _raised_while_restoring(error):
            raise
        reason = f"{type(error).__name__}: {in_one_line(error)}"
        raise ValueError(f"{checkpoint} is not a checkpoint from which this run goes on ({reason})") from error
    finally:
        fitted.training.thaw()


def _raised_while_restoring(error: Exception) -> bool:
    """Return whether Lightning was about to take the state of a checkpoint."""
    frames = (frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__))
    return checkpoint_connector.__name__ in frames


def _rows(trainer: lightning.Trainer) -> dict[str, Any]:
    return {callback.state_key: callback.state_dict() for callback in _histories(trainer)}


def _give_rows(trainer: lightning.Trainer, states: Mapping[str, Any]) -> None:
    for callback in _histories(trainer):
        if callback.state_key in states:
            callback.load_state_dict(states[callback.state_key])


def _histories(trainer: lightning.Trainer) -> list[History]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, History)]


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: Lightning ends the process as if something had failed, and ignores the key from then on."""
    try:
        yield
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
