"""A conditional autoencoder of one labelled set: p(x | z, class) with z ~ N(0, I) in every class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torch.utils.data import DataLoader, TensorDataset

from pyro_mmvae.data.labelled_images import CLASSES, SIDE, LabelledImages
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


def train_cvae(
    images: LabelledImages, path: Path, model: ConditionalVAE, *, epochs: int, batch_size: int, seed: int, device: str
) -> ConditionalVAE:
    """Train on a set, or load what was trained before.

    Args:
        images: the set.
        path: of the weights; if the file is there it is loaded, and nothing is trained.
        model: untrained.
        epochs: passes over the set.
        batch_size: samples in a step.
        seed: of order and noise.
        device: Lightning accelerator.

    Raises:
        ValueError: the file's weights do not fit.
    """
    if path.exists():
        return load_cvae(path, model)
    lightning.seed_everything(seed, workers=True, verbose=False)
    grey = images.images.flatten(1).float() / 255
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(TensorDataset(grey, images.labels), batch_size, shuffle=True, generator=order)
    trainer = lightning.Trainer(
        accelerator=device,
        devices=1,
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    partial.replace(path)
    return model.cpu().eval()


def load_cvae(path: Path, model: ConditionalVAE) -> ConditionalVAE:
    """Load weights; nothing in the file is executed.

    Raises:
        ValueError: the file's weights do not fit.
    """
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise ValueError(f"{path} cannot be used: {error}; delete it to train again") from error
    return model.eval()
