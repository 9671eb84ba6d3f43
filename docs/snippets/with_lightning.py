"""Training with Lightning's Trainer: loggers, early stopping, averaged weights, checkpoints and further fits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from pyro_mmvae import Batch, Loss, Modality, MultimodalVAE, Schedule
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.training import Training

torch.manual_seed(0)
cause = torch.randn(400, 2)
batch = Batch.of({"sound": cause @ torch.randn(2, 10), "motion": cause @ torch.randn(2, 4)})
folder = Path(tempfile.mkdtemp())


def make() -> Loss:
    """Return model, guide and objective as one module."""
    parts = [
        Modality(name, Normal((size,), scale=0.3), MLPDecoder(2, (size,), (32,)), MLPEncoder((size,), (32,)))
        for name, size in (("sound", 10), ("motion", 4))
    ]
    objective = mixing(["sound", "motion"], ["sound", "motion"], beta=Schedule(0.1, 1.0, steps=30))
    return objective(MultimodalVAE(parts, 2), PoE(parts, 2))


# [fit]
training = Training(make(), learning_rate=5e-3, schedule="cosine", warmup=5)
trainer = lightning.Trainer(
    max_epochs=10,
    gradient_clip_val=100.0,
    logger=CSVLogger(folder),  # means of every epoch, and the options of Training
    log_every_n_steps=1,
    callbacks=[
        EarlyStopping("val/log_prob/motion|sound", mode="max", patience=5),  # any part of the bound
        EMAWeightAveraging(decay=0.9),
        ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True),
    ],
)
train, held_out = make_loader(InMemory(batch[:300]), 100, shuffle=True), make_loader(InMemory(batch[300:]), 100)
trainer.fit(training, train, held_out)
(results,) = trainer.validate(training, held_out)

# [load]
again = Training.load_from_checkpoint(folder / "last.ckpt", loss=make())
print(again.loss.elbo.step, again.learning_rate)  # 30, 0.005
# [end]
