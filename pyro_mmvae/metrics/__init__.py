"""Numbers that judge predictions; those of hand poses are in `pyro_mmvae.hands.metrics`."""

from __future__ import annotations

from pyro_mmvae.metrics.expert_weights import ExpertWeights
from pyro_mmvae.metrics.means import Means
from pyro_mmvae.metrics.segmentation import SegmentationMetrics, confusion_matrices, segmentation_metrics

__all__ = ["ExpertWeights", "Means", "SegmentationMetrics", "confusion_matrices", "segmentation_metrics"]
