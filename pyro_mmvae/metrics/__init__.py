"""Numbers that judge predictions; those of hand poses are in `pyro_mmvae.hands.metrics`."""

from __future__ import annotations

from pyro_mmvae.metrics.segmentation import SegmentationMetrics, confusion_matrices, segmentation_metrics

__all__ = ["SegmentationMetrics", "confusion_matrices", "segmentation_metrics"]
