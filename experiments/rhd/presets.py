"""What papers print of their settings on RHD, and a preset for real data; where they are silent the values are ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyro_mmvae.experiments.common.run_config import Preset

GPU = "gpu"
_GPU: Mapping[str, Any] = {
    "image_size": 256,
    "num_points": 256,
    "map_size": 64,
    "width": 64,
    "decoder_width": 64,
    "cloud_width": 512,
    "epochs": 100,
    "lambda_heatmap": 0.01,
    "preload": False,
    "workers": 4,
    "pretrained": True,
    "learning_rate": 1e-4,
}

PRESETS: Mapping[str, Preset] = {GPU: Preset("real data, sized for a GPU", chosen=_GPU)}


class Published(NamedTuple):
    """What a paper prints of a posterior; None where it prints nothing."""

    epe_mm: float | None = None
    auc: float | None = None


def published(config: Mapping[str, Any], posterior: str) -> Published:
    """Return what a paper prints."""
    return Published()
