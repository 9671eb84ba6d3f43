"""What the literature did with images and labels, and what it found."""

from __future__ import annotations

from collections.abc import Mapping

from pyro_mmvae.experiments.common.run_config import Preset

LITERATURE = "literature"
SET = "Generalizing multimodal variational methods to sets"

PRESETS: Mapping[str, Preset] = {
    LITERATURE: Preset(
        title=f"as in the literature; K from {SET}, section 4.2",
        printed={"dataset": "mnist", "num_samples": 1000},
        chosen={"epochs": 200, "batch_size": 128},
        notes=("the set VAE's paper prints no epochs, batch size, learning rate or binarisation",),
    )
}

PUBLISHED: Mapping[tuple[str, str, str], tuple[float | None, ...]] = {
    ("mnist", "set", "smvae"): (-83.41, -89.38, -86.45, -83.46, -89.09, -86.47),
    ("mnist", "joint", "jmvae"): (-91.03, -90.96, -88.43, -90.76, -90.69, -88.69),
    ("mnist", "poe", "mvae"): (-90.85, -90.62, -88.55, -90.85, -90.61, -88.56),
    ("mnist", "moe", "mmvae"): (-91.53, -91.23, -90.64, -91.75, -91.11, -90.01),
    ("mnist", "mopoe", "mopoe"): (-90.16, -90.29, None, -91.36, -91.77, None),
    ("fashion", "set", "smvae"): (-225.10, -230.81, -232.85, -225.14, -232.36, -232.84),
    ("fashion", "joint", "jmvae"): (-232.70, -232.40, -230.65, -232.94, -232.63, -230.39),
    ("fashion", "poe", "mvae"): (-233.01, -232.54, -230.69, -233.01, -232.53, -230.69),
    ("fashion", "moe", "mmvae"): (-235.37, -233.16, -231.32, -231.25, -235.18, -237.64),
}
"""Table 1 of the set VAE's paper, by data set, guide and objective: log p(image, label), log p(image) and
log p(image | label) from q(z | image, label), then the same from q(z | image). The `smvae` rows cannot be honest
estimates of one model, as a label's joint is never above its image's (see the experiment's page)."""
