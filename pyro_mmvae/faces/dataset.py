"""Faces as two modalities, picture and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.binarise import binarise
from pyro_mmvae.data.images import UnreadableImageError
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.faces.attributes import DISTINCTIVE
from pyro_mmvae.faces.pixels import Pixels

IMAGE, ATTRIBUTES = "image", "attributes"
_STATIC = 0
"""Key of the binary pixels: one draw for all runs."""


class FaceBatch(NamedTuple):
    """A batch of faces.

    Attributes:
        batch: the modalities.
        rows: numbers of the faces in the data set, int64, shape `(B,)`.
        skipped: (name, reason) of faces whose picture could not be read; they are no part of the batch.
    """

    batch: Batch
    rows: Tensor
    skipped: tuple[tuple[str, str], ...] = ()


class Faces:
    """Pictures of faces with their attributes; nothing changes from epoch to epoch.

    Modalities: "image" `(3, S, S)` in [0, 1], and "attributes" `(C,)`, zeros and ones.

    Args:
        pixels: squares of the faces.
        names: of the C attributes.
        binary: draw zeros and ones with the pixels' values as probabilities, always the same ones for a picture.

    Raises:
        ValueError: there is no such attribute.
    """

    def __init__(self, pixels: Pixels, names: Sequence[str] = DISTINCTIVE, *, binary: bool = False) -> None:
        self.pixels, self.names, self.binary = pixels, tuple(names), binary
        self.targets = torch.from_numpy(pixels.index.targets(self.names)[pixels.rows].astype(np.float32))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, draws: Draws) -> FaceBatch:
        """Return some faces; see `FaceBatch`."""
        squares, rows, skipped = loaded(self.pixels, draws)
        image = self._binary(squares, rows) if self.binary else as_floats(squares)
        data = {IMAGE: image, ATTRIBUTES: self.targets[rows]}
        return FaceBatch(complete(data), rows, skipped)

    def _binary(self, squares: NDArray[np.uint8], rows: Tensor) -> Tensor:
        numbers = self.pixels.rows[rows.numpy()].tolist()
        drawn = [binarise(torch.from_numpy(s)[None], _STATIC, n) for s, n in zip(squares, numbers, strict=True)]
        return torch.cat(drawn).float() if drawn else as_floats(squares)


def loaded(pixels: Pixels, draws: Draws) -> tuple[NDArray[np.uint8], Tensor, tuple[tuple[str, str], ...]]:
    """Return squares `(B, 3, S, S)`, which faces they are of, and which could not be read."""
    rows: list[int] = []
    skipped = []
    wanted = draws.rows.tolist()
    squares = np.empty((len(wanted), 3, pixels.square.side, pixels.square.side), np.uint8)
    for number in wanted:
        try:
            squares[len(rows)] = pixels.load(number)
            rows.append(number)
        except UnreadableImageError as error:
            skipped.append((pixels.name(number), str(error)))
    return squares[: len(rows)], torch.tensor(rows, dtype=torch.int64), tuple(skipped)


def as_floats(squares: NDArray[np.uint8]) -> Tensor:
    """Return pixels in [0, 1]."""
    return torch.from_numpy(squares).to(torch.float32).div_(255)


def complete(data: dict[str, Tensor]) -> Batch:
    """Return a batch in which everything is observed, without looking for NaN in millions of pixels again."""
    seen = torch.ones(len(next(iter(data.values()))), dtype=torch.bool)
    return Batch(data, dict.fromkeys(data, seen))
