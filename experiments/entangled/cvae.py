"""A conditional autoencoder of one labelled set: p(x | z, class) with z ~ N(0, I) in every class."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from pyro_mmvae.data.labelled_images import CLASSES, SIDE
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.guide import GaussianHead
from pyro_mmvae.networks import LabelledConvEncoder, MirroredConvDecoder, MLPDecoder, MLPEncoder

PIXELS = SIDE * SIDE


class ConditionalVAE(lightning.LightningModule):
    """Encoder and decoder that are told the class (Sohn et al. 2015), with a weight on the KL (Higgins et al. 2017).

    The latent vector is left with what varies within a class, so that one vector can be decoded in every class, and by
    the autoencoder of another set.

    Args:
        config: of the run.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        latent, hidden = config.cvae_latent, config.cvae_hidden
        self.beta, self.grey = config.cvae_beta, config.pixels == "grey"
        self.head = GaussianHead(hidden, latent)
        if config.cvae_network == "conv":
            self.encoder: torch.nn.Module = LabelledConvEncoder((1, SIDE, SIDE), CLASSES, out_features=hidden)
            self.decoder: torch.nn.Module = MirroredConvDecoder(latent + CLASSES, (PIXELS,), hidden=hidden)
        else:
            self.encoder = MLPEncoder((PIXELS + CLASSES,), (hidden, hidden))
            self.decoder = MLPDecoder(latent + CLASSES, (PIXELS,), (hidden, hidden))

    def infer(self, pixels: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and scale of q(z | x, class), shapes `(N, D)`, from pixels `(N, 784)` and classes `(N,)`."""
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
        """Return minus the weighted bound; pixels are grey, or drawn anew from the grey values in every step."""
        grey, label = batch
        pixels = grey if self.grey else torch.bernoulli(grey)
        loc, scale = self.infer(pixels, label)
        logits = self.decode(loc + scale * torch.randn_like(loc), label)
        error = binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(-1)
        divergence = (0.5 * (loc.square() + scale.square() - 1) - scale.log()).sum(-1)
        loss = (error + self.beta * divergence).mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters())
