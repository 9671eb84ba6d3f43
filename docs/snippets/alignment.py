"""Variational alignment: a sound is mapped into the latent space of a motion, and a finished pair gets a mapper."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import lightning
import torch

from pyro_mmvae import Batch, Loss, Modality, MultimodalVAE
from pyro_mmvae.alignment import alignment_phases, latent_classifier, mapper_phase
from pyro_mmvae.data.loader import EpochLoader, make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Categorical, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.cada import cada
from pyro_mmvae.objectives.crossvae import crossvae
from pyro_mmvae.phases import Phase, fit_phases
from pyro_mmvae.training import Training

torch.manual_seed(0)
cause = torch.randn(400, 2)
batch = Batch.of({"sound": cause @ torch.randn(2, 10), "motion": cause @ torch.randn(2, 4)})
folder = Path(mkdtemp())


class Data(lightning.LightningDataModule):
    """Batches of the samples."""

    def train_dataloader(self) -> EpochLoader[Batch]:
        """Return them in a new order in each epoch."""
        return make_loader(InMemory(batch), 100, shuffle=True)


def trainer(phase: Phase, number: int) -> lightning.Trainer:
    """Return a trainer that writes nothing."""
    return lightning.Trainer(
        accelerator="cpu",
        max_epochs=phase.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def training(loss: Loss, phase: Phase, number: int) -> Training:
    """Return the options of a phase."""
    return Training(loss, learning_rate=1e-2)


# [system]
def motion(latent_dim: int) -> Modality:
    """Return what both branches decode; each has a decoder of its own."""
    return Modality("motion", Normal((4,), scale=0.3), MLPDecoder(latent_dim, (4,), (32,)))


lower, upper = motion(2), motion(8)
model = MultimodalVAE([lower], 2, branches={"upper": MultimodalVAE([upper], 8)})
inputs = [
    Modality("sound", encoder=MLPEncoder((10,), (32,))),
    Modality("motion", encoder=MLPEncoder((4,), (32,))),
]
guide = Mapper(inputs, 2, onto="motion", upper_dim=8, intermediate_dim=4)

phases = alignment_phases(["sound", "motion"], ["motion"], epochs=(20, 20, 10), beta=0.1, mapper={"distance": 2.0})
fit_phases(phases, model, guide, Data(), make_trainer=trainer, make_training=training)

guide.eval()
mapped = model.predict(guide.point(batch.given("sound")), "motion")
# [end of system]

# [finished]
parts = [
    Modality(name, Normal((size,), scale=0.3), MLPDecoder(2, (size,), (32,)), MLPEncoder((size,), (32,)))
    for name, size in (("sound", 10), ("motion", 4))
]
baseline, finished = MultimodalVAE(parts, 2), PoE(parts, 2, prior_expert="never")
names = ["sound", "motion"]
fit_phases(
    [Phase(cada(names, names, beta=0.1), 20)], baseline, finished, Data(), make_trainer=trainer, make_training=training
)

over = Mapper.over(finished, onto="motion", sources=["sound"])
fit_phases(
    [mapper_phase(over.inputs, ["motion"], 40)], baseline, over, Data(), make_trainer=trainer, make_training=training
)
with_mapper = baseline.predict(over.point(batch.given("sound")), "motion")
without = baseline.predict(over.lower.point(batch.given("sound")), "motion")  # the numbers of before
# [end of finished]

# [classifier]
label = (cause[:, 0] > 0).long()
batch = Batch.of({**batch.data, "label": torch.eye(2)[label]})
classifier = latent_classifier(finished, "label", Categorical(2))
phase = Phase(crossvae(["sound", "motion"], ["label"], beta=0.0), 20, trainable=("model",))
fit_phases([phase], classifier, finished, Data(), make_trainer=trainer, make_training=training)
guessed = classifier.predict(finished.point(batch.given("sound")), "label").argmax(-1)
