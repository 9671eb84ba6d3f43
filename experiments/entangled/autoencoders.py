"""The conditional autoencoders of both sets, trained once and shared by all runs."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from pyro_mmvae.data.labelled_images import LabelledImages, read_labelled_images, small_digits
from pyro_mmvae.data.shapes import rendered_shapes
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.cvae import ConditionalVAE
from pyro_mmvae.files import made_once
from pyro_mmvae.tensor_files import load_weights, read_weights

NAMES, SHAPES = ("a", "b"), 4000


def unimodal_set(config: Config, name: str) -> LabelledImages:
    """Return the training images of a modality.

    Raises:
        FileNotFoundError: the folder does not hold the files.
        ValueError: a file is damaged.
    """
    if name == NAMES[0]:
        return small_digits() if config.first is None else read_labelled_images(config.first, "mnist", train=True)
    if config.second is None:
        return rendered_shapes(SHAPES, config.seed)
    return read_labelled_images(config.second, "fashion", train=True)


def autoencoder(config: Config, name: str) -> ConditionalVAE:
    """Return the autoencoder of a modality, trained now if no run has done so yet; nothing in its file is executed.

    Raises:
        FileNotFoundError: it is to be trained, and the set is not there.
        ValueError: the file of the weights, or of the set, is damaged.
    """
    path = made_once(autoencoder_path(config, name), partial(_train, config, name))
    model = ConditionalVAE(config)
    try:
        load_weights(model, read_weights(path), f"{path} is of another network")
    except ValueError as error:
        raise ValueError(f"{error}; delete it to train again") from error
    return model.eval()


def autoencoder_path(config: Config, name: str) -> Path:
    """Return the file of an autoencoder; what it is trained with is part of its name."""
    folder = dict(zip(NAMES, (config.first, config.second), strict=True))[name]
    place = "installed" if folder is None else hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    sizes = f"{config.cvae_network}-latent{config.cvae_latent}-hidden{config.cvae_hidden}-beta{config.cvae_beta:g}"
    training = f"{config.pixels}-epochs{config.cvae_epochs}-batch{config.batch_size}-seed{config.seed}"
    return config.autoencoders / f"{name}-{place}-{sizes}-{training}.pt"


def _train(config: Config, name: str, path: Path) -> None:
    images = unimodal_set(config, name)
    print(f"training the conditional autoencoder of modality {name} on {len(images.labels)} images", flush=True)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model = ConditionalVAE(config)
    order = torch.Generator().manual_seed(config.seed)
    grey = TensorDataset(images.images.flatten(1).float() / 255, images.labels)
    loader = DataLoader(grey, config.batch_size, shuffle=True, generator=order)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    lightning.Trainer(accelerator=config.device, devices=1, max_epochs=config.cvae_epochs, **quiet).fit(model, loader)
    torch.save(model.state_dict(), path)
