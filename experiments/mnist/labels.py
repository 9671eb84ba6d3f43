"""What has to do with the label: predicting it from the image, and draws from its posterior."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.data.labelled_images import CLASSES
from pyro_mmvae.data.labelled_samples import IMAGE, LABEL
from pyro_mmvae.distributions.hierarchical import draws as draws_of
from pyro_mmvae.estimators import seeded


@torch.no_grad()
def label_accuracy(model: MultimodalVAE, guide: Guide, batch: Batch) -> float:
    """Return the share of labels that are the likeliest given the image alone, at its posterior's point."""
    device = next(model.parameters()).device
    point = guide.point(batch.given([IMAGE]).to(device))
    found = model.predict(point, LABEL).argmax(-1).cpu()
    return float((found == batch.data[LABEL].argmax(-1)).float().mean())


@torch.no_grad()
def draws_of_labels(guide: Guide, draws: int, seed: int = 0) -> Tensor:
    """Return draws from each label's posterior, shape `(draws, classes, D)`."""
    device = next(guide.parameters()).device
    batch = Batch.of({LABEL: one_hot(torch.arange(CLASSES), CLASSES).float()}).to(device)
    with seeded(seed, device):
        drawn, _ = draws_of(guide.posterior(batch), (draws,))
    return drawn


@torch.no_grad()
def images_of_labels(model: MultimodalVAE, guide: Guide, draws: int, seed: int = 0) -> Tensor:
    """Return expected images for draws from each label's posterior, shape `(classes, draws, pixels)`.

    E[x | z] looks like a grey image whatever the binarisation.
    """
    return model.predict(draws_of_labels(guide, draws, seed), IMAGE).transpose(0, 1).cpu()
