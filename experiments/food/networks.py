"""Picture and ingredients with their networks."""

from __future__ import annotations

from typing import Any

from torch import nn

from pyro_mmvae import Modality
from pyro_mmvae.experiments.food.config import CLASSIFIED, Config
from pyro_mmvae.food.dataset import IMAGE, INGREDIENTS
from pyro_mmvae.likelihoods import Laplace, Multilabel, Normal
from pyro_mmvae.networks import DCGANDecoder, DenseNetEncoder, MLPDecoder, MLPEncoder, ResNetEncoder


def build_modalities(config: Config, labels: int, features: int | None) -> list[Modality]:
    """Return the modalities of a run.

    Args:
        config: of the run.
        labels: number of ingredients.
        features: of a picture, if it is seen as a vector.
    """
    seen = ingredients(config.latent_dim, labels, encoder=MLPEncoder((labels,), widths=()))
    if not config.decodes_pictures:
        encoder = _encoder(config) if features is None else MLPEncoder((features,), widths=())
        return [Modality(IMAGE, encoder=encoder), seen]
    picture = _picture(config) if features is None else _vector(config, features)
    classifier = [ingredients(config.latent_dim, labels, CLASSIFIED)] if config.classifier_epochs else []
    return [picture, seen, *classifier]


def ingredients(latent_dim: int, labels: int, name: str = INGREDIENTS, encoder: nn.Module | None = None) -> Modality:
    """Return the ingredients with networks of one fully connected layer, as the paper has them."""
    return Modality(name, Multilabel(labels), MLPDecoder(latent_dim, (labels,), widths=()), encoder)


def _picture(config: Config) -> Modality:
    side = config.crop
    return Modality(IMAGE, Normal((3, side, side), scale=1.0), _image_decoder(config), _encoder(config))


def _vector(config: Config, size: int) -> Modality:
    """Return a picture's feature vector with networks of one layer and an L1 norm, as CADA-VAE has them."""
    decoder = MLPDecoder(config.latent_dim, (size,), widths=())
    return Modality(IMAGE, Laplace((size,), scale=1.0), decoder, MLPEncoder((size,), widths=()))


def _encoder(config: Config) -> nn.Module:
    weights: dict[str, Any] = {"pretrained": config.pretrained, "weights_path": config.pretrained_weights}
    if config.encoder == "densenet":
        return DenseNetEncoder(pooled=config.pooled, **weights)
    return ResNetEncoder(width=config.width, stem_stride=2 if config.crop < 64 else 4, **weights)


def _image_decoder(config: Config) -> nn.Module:
    """Return a decoder of pictures of the next power of two, scaled down to the crop's size."""
    size = 1 << (config.crop - 1).bit_length()
    decoder = DCGANDecoder(config.latent_dim, (3, size, size), config.width)
    return decoder if size == config.crop else nn.Sequential(decoder, nn.Upsample(config.crop, mode="bilinear"))
