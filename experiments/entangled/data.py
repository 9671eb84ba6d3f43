"""Pairs that are drawn from two conditional autoencoders, entangled or mixed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.labelled_images import CLASSES, LabelledImages, read_labelled_images, small_digits
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.data.shapes import rendered_shapes
from pyro_mmvae.experiments.entangled.config import Config, Kind
from pyro_mmvae.experiments.entangled.cvae import ConditionalVAE

NAMES = ("a", "b")
SHAPES = 4000
WITHIN = 2.0
"""Latent vectors are drawn from the prior within so many standard deviations."""


class Pairs(NamedTuple):
    """Pairs of binary images, and what they were made from."""

    a: Tensor
    """Shape `(N, 784)`."""
    b: Tensor
    """Shape `(N, 784)`."""
    label: Tensor
    """Class, int64 `(N,)`, the same for both images."""
    z_a: Tensor
    """Latent vector of the first image, shape `(N, D)`."""
    z_b: Tensor
    """Latent vector of the second one; the same in an entangled pair."""

    def batch(self) -> Batch:
        """Return the images as a batch."""
        return Batch.of({"a": self.a, "b": self.b})


def unimodal_sets(config: Config) -> tuple[LabelledImages, LabelledImages]:
    """Return the two uni-modal training sets.

    Raises:
        FileNotFoundError: a folder does not hold the files.
        ValueError: a file is damaged.
    """
    first = small_digits() if config.first is None else read_labelled_images(config.first, "mnist", train=True)
    if config.second is None:
        return first, rendered_shapes(SHAPES, config.seed)
    return first, read_labelled_images(config.second, "fashion", train=True)


def entangled(first: ConditionalVAE, second: ConditionalVAE, num_samples: int, seed: int) -> Pairs:
    """Draw a latent vector and a class, and decode them by both autoencoders (Korthals et al. 2019, section 1.1).

    Pixels are drawn from the decoded probabilities, so that a Bernoulli probability of them is a log-likelihood.

    Args:
        first: autoencoder of modality a.
        second: of modality b.
        num_samples: N.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (num_samples,), generator=generator)
    inside = torch.special.ndtr(torch.tensor(WITHIN))
    uniform = torch.rand(num_samples, first.latent_dim, generator=generator)
    z = torch.special.ndtri((1 - inside) + (2 * inside - 1) * uniform)
    with torch.no_grad():
        a, b = (torch.bernoulli(model.decode(z, label).sigmoid(), generator=generator) for model in (first, second))
    return Pairs(a, b, label, z, z)


def mixed(pairs: Pairs, seed: int) -> Pairs:
    """Return the pairs with the second image swapped within each class: the class is all that the two share."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(len(pairs.label))
    for label in range(CLASSES):
        rows = (pairs.label == label).nonzero().flatten()
        order[rows] = rows[torch.randperm(len(rows), generator=generator)]
    return pairs._replace(b=pairs.b[order], z_b=pairs.z_b[order])


def draw(config: Config, kind: Kind, first: ConditionalVAE, second: ConditionalVAE, test: bool) -> Pairs:
    """Return the training or test pairs of a run."""
    seed = 4 * config.seed + int(test)
    pairs = entangled(first, second, config.test_samples if test else config.samples, seed)
    return mixed(pairs, seed + 2) if kind == "mixed" else pairs


def untrained(config: Config) -> ConditionalVAE:
    """Return an autoencoder of the size that the run's options ask for."""
    return ConditionalVAE(config.cvae_latent, config.cvae_hidden, config.cvae_beta)


def autoencoder_path(config: Config, name: str) -> Path:
    """Return the file of a modality's autoencoder; what it was trained with is part of its name."""
    settings = f"{config.cvae_latent}-{config.cvae_hidden}-{config.cvae_epochs}-{config.cvae_beta:g}-{config.seed}"
    return config.run / "autoencoders" / f"{name}-{settings}.pt"


class PairData(lightning.LightningDataModule):
    """Training pairs of one run, in memory.

    Args:
        config: of the run.
        train: training pairs.
        test: held-out pairs.
    """

    def __init__(self, config: Config, train: Pairs, test: Pairs) -> None:
        super().__init__()
        self.config, self.pairs = config, train.batch()
        self.test, self.label = test.batch(), test.label

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches."""
        samples = InMemory(self.pairs)
        return make_loader(samples, self.config.batch_size, shuffle=True, seed=self.config.seed)
