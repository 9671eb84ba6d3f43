"""Training in phases: first one view alone, then the encoder of the other, then everything."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.data.loader import EpochLoader, make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.history import History
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.alignment import alignment
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.phases import Phase, fit_phases
from pyro_mmvae.training import Training

torch.manual_seed(0)
cause = torch.randn(400, 2)
batch = Batch.of({"sound": cause @ torch.randn(2, 10), "motion": cause @ torch.randn(2, 4)})
parts = [
    Modality(name, Normal((size,), scale=0.3), MLPDecoder(2, (size,), (32,)), MLPEncoder((size,), (32,)))
    for name, size in (("sound", 10), ("motion", 4))
]
model, guide = MultimodalVAE(parts, 2), PoE(parts, 2)
folder = Path(mkdtemp())


class Data(lightning.LightningDataModule):
    """Batches of the samples."""

    def train_dataloader(self) -> EpochLoader[Batch]:
        """Return them in a new order in each epoch."""
        return make_loader(InMemory(batch), 100, shuffle=True)


# [phases]
phases = [
    Phase(
        mixing(["sound"], ["sound"]),
        epochs=20,
        trainable=("guide.encoders.sound", "guide.heads.sound", "model.decoders.sound"),
    ),
    Phase(
        alignment(["sound", "motion"], ["sound"]), epochs=20, trainable=("guide.encoders.motion", "guide.heads.motion")
    ),
    Phase(mixing(["sound", "motion"], ["sound", "motion"]), epochs=10),
]


def make_trainer(phase: Phase, number: int) -> lightning.Trainer:
    """Return the trainer of a phase; all phases write one checkpoint and one history."""
    last = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    return lightning.Trainer(max_epochs=phase.epochs, callbacks=[History(folder / "history.csv"), last], logger=False)


checkpoint = folder / "last.ckpt"
fitted = fit_phases(
    phases,
    model,
    guide,
    Data(),
    make_trainer=make_trainer,
    make_training=lambda loss, phase, number: Training(loss, learning_rate=5e-3),
    last=checkpoint if checkpoint.exists() else None,
)
