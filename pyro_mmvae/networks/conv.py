"""Convolutional encoder of small images and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from pyro_mmvae.networks.norms import Norm, group_norm
from pyro_mmvae.recorded import Recorded


class ConvEncoder(Recorded, nn.Module):
    """Convolutions that halve the map until it is about 4 x 4, then one fully connected layer.

    The mirror of `DCGANDecoder`. It takes images, or maps of class numbers, which it turns into one-hot
    channels.

    Args:
        event_shape: `(C, H, W)` of an image, or `(H, W)` of a map of class numbers.
        classes: number of classes of a map; None for images.
        width: channels of the first layer; each layer after has twice as many.
        out_features: number of features F.
        norm: makes the normalisation of a number of channels; None for none.

    Raises:
        ValueError: `event_shape` does not fit `classes`, or is smaller than 8 x 8.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        classes: int | None = None,
        width: int = 32,
        out_features: int = 256,
        norm: Norm | None = group_norm,
    ) -> None:
        super().__init__()
        channels, height, breadth = _image_shape(event_shape, classes)
        self.classes = classes or 0
        self.out_features = out_features
        layers: list[nn.Module] = []
        while min(height, breadth) >= 8:
            layers += _halving(channels, width, norm)
            channels, width = width, 2 * width
            height, breadth = height // 2, breadth // 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.output = nn.Linear(channels * height * breadth, out_features)

    def forward(self, value: Tensor) -> Tensor:
        """Map images `(N, C, H, W)` or class numbers `(N, H, W)` to features `(N, F)`."""
        return self.output(self.layers(self._one_hot(value) if self.classes else value)).relu()

    def _one_hot(self, labels: Tensor) -> Tensor:
        # By comparison: torch's one_hot checks the range of its input, a wait for the device.
        numbers = torch.arange(self.classes, device=labels.device)[:, None, None]
        return (labels.unsqueeze(1) == numbers).to(self.output.weight.dtype)

    @classmethod
    def example(cls) -> tuple[Self, Tensor]:
        """Return a tiny instance and an input of it."""
        return cls((16, 16), classes=3, width=4, out_features=6), torch.randint(3, (3, 16, 16))


def _image_shape(event_shape: Sequence[int], classes: int | None) -> tuple[int, int, int]:
    """Return channels, height and width of what the first convolution sees."""
    shape = tuple(event_shape) if classes is None else (classes, *event_shape)
    if len(shape) != 3 or min(shape[1:]) < 8:
        wanted = "(C, H, W) for images" if classes is None else "(H, W) for class numbers"
        raise ValueError(f"expected event_shape {wanted}, at least 8 x 8, got {tuple(event_shape)}")
    return shape[0], shape[1], shape[2]


def _halving(channels_in: int, channels: int, norm: Norm | None) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels, 4, stride=2, padding=1)
    return [convolution, *([] if norm is None else [norm(channels)]), nn.ReLU()]
