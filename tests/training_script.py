"""A small training run that tests start in processes of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
import torch.distributions.normal
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from pyro_mmvae import Batch, MultimodalVAE, Schedule, guides
from pyro_mmvae.alignment import alignment_phases
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.phases import Phase, fit_phases
from pyro_mmvae.training import History, Training

DEFAULTS: dict[str, Any] = {
    "devices": 1,
    "epochs": 4,
    "resume": False,
    "kill": None,  # [epoch, batch], the epoch counted over all phases
    "same_noise": False,
    "workers": 0,
    "persistent": False,
    "plain_loader": False,
    "every_n_train_steps": None,
    "phases": None,  # [epochs, trainable parts] of each, instead of `epochs`
    "learning_rate": 1e-2,
    "patience": None,  # of an early stop in every phase
    "alignment": None,  # epochs of the three phases of variational alignment, instead of `phases`
}


class Rows:
    """Samples of the reference model, one in three without its first modality; "b" is a little other in each epoch."""

    def __init__(self, truth: LinearGaussian) -> None:
        batch = truth.sample(24, seed=1)
        missing = torch.arange(24) % 3 != 0
        self.all = Batch.of(batch.data, {"a": missing})

    def __len__(self) -> int:
        return self.all.size

    def batch(self, draws: Draws) -> Batch:
        batch = self.all[draws.rows]
        return Batch.of({**batch.data, "b": batch.data["b"] + 0.1 * draws.epoch}, batch.observed)


class Kill(Callback):
    """Ends the process as a power cut would."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.when = (epoch, batch)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if (module.place.first_epoch + trainer.current_epoch, batch_idx) == self.when:
            os.kill(os.getpid(), signal.SIGKILL)


class Data(lightning.LightningDataModule):
    def __init__(self, rows: Rows, options: dict[str, Any]) -> None:
        super().__init__()
        self.rows, self.options = rows, options

    def loader(self, shuffle: bool) -> DataLoader:
        loader = make_loader(
            self.rows,
            8,
            shuffle=shuffle,
            seed=3,
            trainer=self.trainer,
            workers=self.options["workers"],
            persistent=self.options["persistent"],
        )
        if self.options["plain_loader"]:
            loader.__class__ = DataLoader
        return loader

    def train_dataloader(self) -> DataLoader:
        return self.loader(shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader(shuffle=False)


def common_noise() -> None:
    """Draw the same standard normal for every sample, so that the layout over processes does not matter."""

    def standard_normal(shape, dtype, device):
        generator = torch.Generator().manual_seed(int(shape[-1]))
        return torch.randn(shape[-1], generator=generator, dtype=dtype).to(device).expand(shape)

    torch.distributions.normal._standard_normal = standard_normal


def main(out: Path, options: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    if options["same_noise"]:
        common_noise()
    torch.manual_seed(0)
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, dtype=torch.float64)
    model, guide = truth.model(), guides.load("gpoe")(truth.modalities(), 2).double()
    objective = mixing(guide.inputs, truth.names, beta=Schedule(0.1, 1.0, steps=10))
    phases = [Phase(objective, epochs, tuple(parts)) for epochs, parts in options["phases"] or []]
    if options["alignment"]:
        model, guide, phases = aligned(truth, options["alignment"])
    data, last = Data(Rows(truth), options), out / "last.ckpt" if options["resume"] else None
    if phases:
        trainer, module = fit_phases(
            phases,
            model,
            guide,
            data,
            make_trainer=lambda phase, number: build_trainer(out, options, phase.epochs),
            make_training=lambda loss, phase, number: Training(
                loss, learning_rate=options["learning_rate"], schedule="cosine"
            ),
            last=last,
        )
    else:
        trainer = build_trainer(out, options, options["epochs"])
        module = Training(objective(model, guide), learning_rate=options["learning_rate"], schedule="cosine")
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    if trainer.is_global_zero:
        (history,) = (callback for callback in trainer.callbacks if isinstance(callback, History))
        torch.save({"state": module.loss.state_dict(), "rows": history.rows}, out / "result.pt")


def aligned(truth: LinearGaussian, epochs: list[int]) -> tuple[MultimodalVAE, Mapper, list[Phase]]:
    """Return a system of two branches and a mapper with batch statistics, and the phases that train it."""
    lower, upper = (
        [replace(m, encoder=nn.Sequential(nn.Linear(m.features, 4), nn.BatchNorm1d(4)), features=4) for m in parts]
        for parts in (truth.modalities(), truth.modalities())
    )
    model = MultimodalVAE(lower[1:], 2, branches={"upper": MultimodalVAE(upper[1:], 2)}).double()
    guide = Mapper(lower, 2, intermediate_dim=3).double()
    phases = alignment_phases(("a", "b"), ["b"], tuple(epochs), beta=Schedule(0.1, 1.0, steps=10), beta_mapper=0.1)
    return model, guide, phases


def build_trainer(out: Path, options: dict[str, Any], epochs: int) -> lightning.Trainer:
    every = options["every_n_train_steps"]
    callbacks = [History(out / "history.csv")]
    if options["patience"] is not None:
        callbacks.append(EarlyStopping("val/loss", patience=options["patience"], min_delta=0.5))
    callbacks.append(
        ModelCheckpoint(
            out,
            filename="last",
            save_on_train_epoch_end=every is None,
            every_n_train_steps=every,
            enable_version_counter=False,
        )
    )
    if options["kill"]:
        callbacks.append(Kill(*options["kill"]))
    return lightning.Trainer(
        accelerator="cpu",
        devices=options["devices"],
        strategy="ddp" if options["devices"] > 1 else "auto",
        max_epochs=epochs,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def forked(out: Path, options: dict[str, Any]) -> None:
    """Run in a process that was forked with everything imported already."""
    with (out / "errors.txt").open("w") as errors:
        for stream in (1, 2):
            os.dup2(errors.fileno(), stream)
    multiprocessing.set_start_method("fork", force=True)  # for workers, as in a process that was not forked
    main(out, DEFAULTS | options)


if __name__ == "__main__":
    main(Path(sys.argv[1]), DEFAULTS | json.loads(sys.argv[2]))
