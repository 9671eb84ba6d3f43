"""Weights trained on ImageNet, from torchvision's server, its cache or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pyro_mmvae.recorded import Recorded
from pyro_mmvae.tensor_files import read_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageNetNormalise(Recorded, nn.Module):
    """Takes ImageNet's mean colour off images in [0, 1] and divides by its standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` to the same shape."""
        return (images - self.mean) / self.std


def imagenet_weights(weights: Any, path: str | Path | None = None) -> dict[str, Tensor]:
    """Return a state dict trained on ImageNet.

    Args:
        weights: a member of a torchvision weights enum, for instance `ResNet18_Weights.IMAGENET1K_V1`.
        path: a file with the state dict; without one torchvision's cache is used, and filled if need be.

    Raises:
        FileNotFoundError: there is no file at `path`.
        ConnectionError: neither the cache nor the server has the weights.
        ValueError: the file is damaged, or holds more than tensors, or NaN.
    """
    if path is not None:
        return read_weights(path, old_format=True)
    try:
        return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ConnectionError(_advice(weights, error)) from error


def _advice(weights: Any, error: Exception) -> str:
    cache = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    return (
        f"expected the pretrained weights {weights} from {weights.url} or at {cache}, got: {error}. "
        f"Connect once so that they are cached, put the file there, pass weights_path=FILE, "
        f"or train from scratch with pretrained=False"
    )
