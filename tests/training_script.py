"""A small training run that tests start in processes of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lightning
import torch
import torch.distributions.normal
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

from pyro_mmvae import Batch, Schedule, guides
from pyro_mmvae.data.sampler import Draw, EpochSampler
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.training import History, Training


class Rows(Dataset):
    """Samples of the reference model, one in three without its first modality."""

    def __init__(self, truth: LinearGaussian) -> None:
        batch = truth.sample(24, seed=1)
        missing = torch.arange(24) % 3 != 0
        self.batch = Batch.of(batch.data, {"a": missing})

    def __len__(self) -> int:
        return self.batch.size

    def __getitem__(self, draw: Draw) -> int:
        return draw.index

    def collate(self, rows: list[int]) -> Batch:
        return self.batch[torch.tensor(rows)]


class Kill(Callback):
    """Ends the process as a power cut would, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            os._exit(9)


class Data(lightning.LightningDataModule):
    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows = rows

    def loader(self, shuffle: bool) -> DataLoader:
        trainer = self.trainer
        sampler = EpochSampler(
            len(self.rows), shuffle=shuffle, seed=3, rank=trainer.global_rank, world_size=trainer.world_size
        )
        return DataLoader(self.rows, 8 // trainer.world_size, sampler=sampler, collate_fn=self.rows.collate)

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


def main(out: Path, devices: int, epochs: int, resume: bool, kill: int | None, same_noise: bool) -> None:
    if same_noise:
        common_noise()
    torch.manual_seed(0)
    truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, dtype=torch.float64)
    model, guide = truth.model(), guides.load("gpoe")(truth.modalities(), 2).double()
    beta = Schedule(0.1, 1.0, steps=10)
    module = Training(mixing(guide.inputs, truth.names, beta=beta)(model, guide), learning_rate=1e-2, schedule="cosine")
    history = History(out / "history.csv")
    checkpoint = ModelCheckpoint(out, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_epochs=epochs,
        callbacks=[history, checkpoint, *([Kill(kill)] if kill is not None else [])],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    trainer.fit(module, datamodule=Data(Rows(truth)), ckpt_path=str(out / "last.ckpt") if resume else None)
    if trainer.is_global_zero:
        torch.save({"state": module.loss.state_dict(), "rows": history.rows}, out / "result.pt")


if __name__ == "__main__":
    folder, count, until, again, stop, noise = sys.argv[1:]
    main(
        Path(folder), int(count), int(until), again == "resume", int(stop) if stop != "never" else None, noise == "same"
    )
