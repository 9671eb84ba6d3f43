"""Images and their labels as two modalities, of binary or grey pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch.nn.functional import one_hot

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.binarise import binarise
from pyro_mmvae.data.labelled_images import CLASSES, LabelledImages
from pyro_mmvae.data.samples import Draws

IMAGE, LABEL = "image", "label"
STATIC = 0
"""Key of the static binarisation: one draw for all runs."""
HIDDEN, REDRAWN = 3, 4
"""Keys that keep the random choices apart."""

Binarisation = Literal["static", "dynamic", "none"]


class LabelledSamples:
    """A data set of images and labels; `draws` that differ in epoch, batch or process redraw dynamic pixels.

    Modalities: "image" `(784,)`, zeros and ones or grey values in [0, 1]; "label" `(10,)`, one-hot, zeros where it is
    hidden and not observed.

    Args:
        images: the samples.
        binarisation: how grey values become binary ones (see `binarise`): "static", once, the same for all seeds;
            "dynamic", anew for every batch; or "none", not at all.
        part: number of the split; the static draws of the splits differ.
        missing: share of labels that are hidden, in [0, 1].
        seed: of dynamic draws and of hidden labels.
    """

    def __init__(
        self,
        images: LabelledImages,
        *,
        binarisation: Binarisation = "static",
        part: int = 0,
        missing: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.binarisation, self.seed = binarisation, seed
        flat = images.images.flatten(1)
        self.images = binarise(flat, STATIC, part) if binarisation == "static" else flat
        hidden = np.random.default_rng([seed, HIDDEN]).random(len(images.labels)) < missing
        self.seen = torch.as_tensor(~hidden)
        self.labels = one_hot(images.labels, CLASSES).float() * self.seen.unsqueeze(-1)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, draws: Draws) -> Batch:
        """Return the batch of some samples."""
        images = self.images[draws.rows]
        if self.binarisation == "dynamic":
            images = binarise(images, self.seed, REDRAWN, *draws.key)
        pixels = images.float().mul_(1 / 255) if self.binarisation == "none" else images.float()
        # Not `Batch.of`: what it checks cannot happen here.
        observed = {IMAGE: torch.ones(len(draws.rows), dtype=torch.bool), LABEL: self.seen[draws.rows]}
        return Batch({IMAGE: pixels, LABEL: self.labels[draws.rows]}, observed)
