"""Training that watches segmentations."""

from __future__ import annotations

from typing import Any

from pyro_mmvae.predictions import points, predictions, seen_by, singles_and_joint
from pyro_mmvae.surgical.dataset import SEGMENTATION
from pyro_mmvae.training import Training


class SurgicalTraining(Training):
    """Training on surgical views that also watches the share of wrong pixels of every posterior on held-out samples."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the bound, and the share of wrong pixels where a posterior has anything to see."""
        if batch.batch.size == 0:
            return
        super().validation_step(batch, batch_idx)
        subsets, true = singles_and_joint(self.loss.guide), batch.batch.data[SEGMENTATION]
        z = points(self.loss.guide, batch.batch, subsets)
        for name, found in predictions(self.loss.model, z, list(subsets), [SEGMENTATION]).items():
            there = seen_by(batch.batch, subsets[name])
            if count := int(there.sum()):
                wrong = (found[SEGMENTATION] != true)[there].float().mean()
                self.log(f"val/wrong|{name}", wrong, sync_dist=True, batch_size=count, prog_bar=True)
