"""Training and test samples of the mixture-of-Gaussians experiment."""

from __future__ import annotations

import lightning
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.gaussian_mixture import sample
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.experiments.mog.config import Config


class MixtureData(lightning.LightningDataModule):
    """Samples of one run, in memory.

    Args:
        config: of the run.

    Attributes:
        test: test samples.
        label: their classes, shape `(N,)`.
    """

    test: Batch
    label: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        seen = sample(config.samples, 2 * config.seed)
        held_out = sample(config.test_samples, 2 * config.seed + 1)
        self.train = Batch.of({"a": seen.a, "b": seen.b})
        self.test, self.label = Batch.of({"a": held_out.a, "b": held_out.b}), held_out.label

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches."""
        samples = InMemory(self.train)
        return make_loader(samples, self.config.batch_size, shuffle=True, seed=self.config.seed)
