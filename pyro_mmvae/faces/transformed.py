"""Faces as six modalities, all of them pictures made from one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.faces.dataset import FaceBatch, as_floats, complete, loaded
from pyro_mmvae.faces.pixels import Pixels
from pyro_mmvae.faces.transforms import edges_of, grey_of, half_masked, landmark_picture, watermarked

COLOUR, GREY, EDGES, LANDMARKS, MASKED, WATERMARK = "colour", "grey", "edges", "landmarks", "masked", "watermark"
CHANNELS = {COLOUR: 3, GREY: 1, EDGES: 1, LANDMARKS: 1, MASKED: 3, WATERMARK: 3}
"""Modalities, with the number of their channels."""
BINARY = (EDGES, LANDMARKS)
"""Those whose pixels are zeros and ones."""


class TransformedFaces:
    """A picture of a face and what is made of it; nothing is random.

    Modalities: those of `CHANNELS`, each `(channels, S, S)` in [0, 1].

    Args:
        pixels: squares of the faces, with landmarks.
        sigma: of the edges' detector, in pixels.
        keep: remember edges once they were found, S^2/8 bytes a face; they take most of the time.
    """

    def __init__(self, pixels: Pixels, *, sigma: float = 1.0, keep: bool = False) -> None:
        self.pixels, self.sigma = pixels, sigma
        self._edges: dict[int, NDArray[np.uint8]] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, draws: Draws) -> FaceBatch:
        """Return some faces; see `FaceBatch`."""
        squares, rows, skipped = loaded(self.pixels, draws)
        colour = as_floats(squares)
        grey = grey_of(colour)
        points = landmark_picture(self.pixels.points(rows.tolist()), self.pixels.square.side)
        data = {
            COLOUR: colour,
            GREY: grey,
            EDGES: self._edges_of(grey, rows.tolist()),
            LANDMARKS: torch.from_numpy(points).to(torch.float32),
            MASKED: half_masked(colour),
            WATERMARK: watermarked(colour),
        }
        return FaceBatch(complete(data), rows, skipped)

    def _edges_of(self, grey: Tensor, rows: list[int]) -> Tensor:
        side = self.pixels.square.side
        found = np.empty((len(rows), 1, side, side), np.float32)
        for place, (number, picture) in enumerate(zip(rows, grey[:, 0].numpy(), strict=True)):
            kept = None if self._edges is None else self._edges.get(number)
            if kept is not None:
                found[place] = np.unpackbits(kept, count=side * side).reshape(side, side)
                continue
            found[place] = edges = edges_of(picture, self.sigma)
            if self._edges is not None:
                self._edges[number] = np.packbits(edges)
        return torch.from_numpy(found)
