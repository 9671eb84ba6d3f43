"""What Joshi et al. 2022 print of their settings and results on surgical views, and a preset for real data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyro_mmvae.experiments.common.run_config import Preset

GPU, JOSHI = "gpu", "joshi2022"

_PRINTED: Mapping[str, Any] = {
    "setting": "rc2cs",  # section 4.5
    "image_size": 256,  # section 4.2
    "encoder": "resnet",
    "width": 64,  # ResNet-18, pretrained
    "pretrained": True,
}
_OURS: Mapping[str, Any] = {
    "latent_dim": 64,
    "map_size": 64,
    "num_points": 256,
    "stem_stride": 4,
    "decoder_width": 64,
    "cloud_width": 512,
    "epochs": 60,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "warmup": 20,
    "clip": 10.0,
    "lambda_segmentation": 0.01,
    "lambda_cloud": 1.0,
    "beta_start": 1e-5,
    "beta_end": 1e-3,
    "beta_shape": "geometric",
    "jitter": 0.1,
    "split": "scenes",
    "counting": "summed",
    "averaged": "organs",
    "preload": False,
    "workers": 4,
}
PRESETS: Mapping[str, Preset] = {
    GPU: Preset("real data, sized for a GPU", chosen={**_OURS, **_PRINTED}),
    JOSHI: Preset(
        "Joshi et al. 2022",
        printed=_PRINTED,
        chosen=_OURS,
        notes=(
            "pictures are cut to the central square and resized to 256 x 256 (paper); segmentations and clouds have "
            "sizes of our own",
            "no split, latent dimension, weight, batch size, number of epochs or learning rate is printed, nor over "
            "what IoU and F1 are counted: --split, --counting, --averaged",
            "the prior is no factor of poe (eq. 4-6); moe is trained by mmvae (eq. 16), the others by mixing",
            "the shares of corrupted samples and the scale of the clouds' noise are not printed: --corrupted-share, "
            "--cloud-corrupted-share, --cloud-noise",
        ),
    ),
}
GUIDE_OPTIONS: Mapping[tuple[str | None, str], tuple[str, ...]] = {(JOSHI, "poe"): ("prior_expert=never",)}
"""Options of a guide in a paper; a guide that is not here has none."""


class Published(NamedTuple):
    """What a paper prints of a posterior; None where it prints nothing."""

    iou: float | None = None
    f1: float | None = None


_FOUND: Mapping[tuple[str, float], Published] = {
    # Tables 1 and 4, from RGB, by guide and share of corrupted pixels
    ("moe", 0.0): Published(0.4477, 0.6143),
    ("poe", 0.0): Published(0.6272, 0.7692),
    ("gpoe", 0.0): Published(0.7138, 0.8323),
    ("moe", 0.25): Published(0.4598, 0.6260),
    ("poe", 0.25): Published(0.6198, 0.7636),
    ("gpoe", 0.25): Published(0.7030, 0.8249),
    ("moe", 0.5): Published(0.4545, 0.6208),
    ("poe", 0.5): Published(0.6221, 0.7653),
    ("gpoe", 0.5): Published(0.7078, 0.8281),
    ("poe", 0.7): Published(0.6128, 0.7576),
    ("gpoe", 0.7): Published(0.6866, 0.8131),
}


def published(config: Mapping[str, Any], posterior: str) -> Published:
    """Return what the paper prints of a posterior.

    Args:
        config: of the run, as `metrics.json` has it; results on synthetic scenes, or on held-out views, are compared
            with nothing.
        posterior: its name.
    """
    compared = config["data"] is not None and config["judge"] == "test" and config["setting"] == "rc2cs"
    if not compared or posterior != "rgb" or config["cloud_noise"] or config["samples"] is not None:
        return Published()
    return _FOUND.get((config["guide"], config["pixel_corruption"]), Published())
