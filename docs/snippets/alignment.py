"""Variational alignment of a sensor with the labels of what it sees."""

from __future__ import annotations

import lightning
import torch
from torch.utils.data import DataLoader

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.alignment import alignment_phases
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.likelihoods import Multilabel
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.phases import fit_phases
from pyro_mmvae.training import Training

SENSOR, LABELS = 8, 4


def system(upper_dim: int = 3, latent_dim: int = 2) -> tuple[MultimodalVAE, Mapper]:
    """Return the model with its upper branch, and the guide that maps sensor onto labels."""
    likelihood = Multilabel(LABELS)
    sensor = Modality("sensor", encoder=MLPEncoder((SENSOR,), (32,)))
    labels = Modality("labels", likelihood, MLPDecoder(latent_dim, (LABELS,), (32,)), MLPEncoder((LABELS,), (32,)))
    above = Modality("labels", likelihood, MLPDecoder(upper_dim, (LABELS,), (32,)))  # D1, in the sensor's own space
    upper = MultimodalVAE([above], upper_dim)
    model = MultimodalVAE([labels], latent_dim, branches={"upper": upper})
    return model, Mapper([sensor, labels], latent_dim, upper_dim=upper_dim)


def scenes(count: int) -> Batch:
    """Return scenes of four things, each there or not, and what the sensor makes of them."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(LABELS, SENSOR, generator=generator)
    there = (torch.rand(count, LABELS, generator=generator) < 0.4).float()
    return Batch.of({"sensor": there @ mixing + 0.1 * torch.randn(count, SENSOR, generator=generator), "labels": there})


class Scenes(lightning.LightningDataModule):
    """Batches of 50."""

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return them, whole batches at a time."""
        batch = scenes(1000)
        return DataLoader([batch[start : start + 50] for start in range(0, 1000, 50)], batch_size=None)


def main(epochs: tuple[int, int, int] = (10, 10, 5)) -> float:
    """Train the three phases; return the share of labels that are right, from the sensor through the mapper."""
    model, guide = system()
    fit_phases(
        alignment_phases(guide.inputs, ["labels"], epochs, beta=0.05, distance=1.0),
        model,
        guide,
        Scenes(),
        make_trainer=lambda phase, number: lightning.Trainer(
            max_epochs=phase.epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False
        ),
        make_training=lambda loss, phase, number: Training(loss, learning_rate=1e-2),
    )
    batch = scenes(200)
    with torch.no_grad():
        predicted = model.predict(guide.point(batch.given(["sensor"])), "labels") > 0.5
    return (predicted == batch.data["labels"].bool()).float().mean().item()


if __name__ == "__main__":
    print(f"{main():.3f} of all labels are right")
