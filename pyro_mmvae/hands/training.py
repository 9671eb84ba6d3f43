"""Training that watches the error of the poses."""

from __future__ import annotations

from typing import Any

import torch

from pyro_mmvae.hands.metrics import pose_errors_mm
from pyro_mmvae.predictions import points, predictions, seen_by, singles_and_joint
from pyro_mmvae.training import Training


class HandTraining(Training):
    """Training on hands that also watches the end-point error of every posterior on the held-out samples."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the bound, and the mean error over all joints in millimetres where a posterior has anything to see."""
        if batch.batch.size == 0:
            return
        super().validation_step(batch, batch_idx)
        subsets = singles_and_joint(self.loss.guide)
        true, scale = batch.batch.data["pose"].cpu(), batch.hands.scale.cpu()
        z = points(self.loss.guide, batch.batch, subsets)
        for name, found in predictions(self.loss.model, z, list(subsets), ["pose"]).items():
            there = seen_by(batch.batch, subsets[name]).cpu()
            if count := int(there.sum()):
                errors = pose_errors_mm(found["pose"].float().cpu()[there], true[there], scale[there])
                value = torch.tensor(float(errors.mean()))
                self.log(f"val/epe_mm|{name}", value, sync_dist=True, batch_size=count, prog_bar=True)
