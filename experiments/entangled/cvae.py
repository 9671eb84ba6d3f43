"""A conditional autoencoder of one labelled set: p(x | z, class) with z ~ N(0, I) in every class."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.guide import GaussianHead
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

PIXELS = SIDE * SIDE


class ConditionalVAE(lightning.LightningModule):
    """Encoder and decoder that are told the class (Sohn et al. 2015), with a weight on the KL (Higgins et al. 2017).

    Fully connected, where Korthals et al. 2019 have convolutions. The latent vector is left with what varies within a
    class, so that one vector can be decoded in every class, and by the autoencoder of another set.

    Args:
        latent_dim: dimension of z.
        hidden: width of the two hidden layers.
        beta: weight of the KL.
        learning_rate: of Adam.
    """

    def __init__(self, latent_dim: int, hidden: int, beta: float, learning_rate: float = 1e-3) -> None:
        super().__init__()
        self.latent_dim, self.beta, self.learning_rate = latent_dim, beta, learning_rate
        self.encoder = MLPEncoder((PIXELS + CLASSES,), (hidden, hidden))
        self.head = GaussianHead(hidden, latent_dim)
        self.decoder = MLPDecoder(latent_dim + CLASSES, (PIXELS,), (hidden, hidden))

    def infer(self, pixels: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of q(z | x, class), shapes `(N, latent_dim)`.

        Args:
            pixels: shape `(N, 784)`, in [0, 1].
            label: int64, shape `(N,)`.
        """
        loc, scale = self.head(self.encoder(torch.cat([pixels, one_hot(label, CLASSES).to(pixels)], dim=-1)))
        return loc, scale

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        """Return logits of the pixels, shape `(N, 784)`."""
        logits: Tensor = self.decoder(torch.cat([z, one_hot(label, CLASSES).to(z)], dim=-1))
        return logits

    def probabilities(self, z: Tensor, label: Tensor) -> Tensor:
        """Return the probability of ink of every pixel, shape `(N, 784)`."""
        return self.decode(z, label).sigmoid()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return minus the weighted bound, averaged over the batch; pixels are drawn anew from the grey values."""
        grey, label = batch
        pixels = torch.bernoulli(grey)
        loc, scale = self.infer(pixels, label)
        logits = self.decode(loc + scale * torch.randn_like(loc), label)
        error = binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(-1)
        divergence = (0.5 * (loc.square() + scale.square() - 1) - scale.log()).sum(-1)
        loss = (error + self.beta * divergence).mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)
