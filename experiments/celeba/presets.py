"""What the literature did with CelebA and its attributes, and what it found."""

from __future__ import annotations

from collections.abc import Mapping

from pyro_mmvae.experiments.common.run_config import Preset

LITERATURE = "literature"
SET = "Generalizing multimodal variational methods to sets"

PRESETS: Mapping[str, Preset] = {
    LITERATURE: Preset(
        title=f"as in the literature; K from {SET}, section 4.2, sizes and training of Wu and Goodman's code, 2018",
        printed={
            **{"num_samples": 1000, "side": 64, "width": 32, "latent_dim": 100, "attribute_widths": (512, 512)},
            **{"lambda_attributes": 10.0, "epochs": 100, "batch_size": 100, "learning_rate": 1e-4},
            **{"beta_start": 0.0, "beta_share": 0.2},
        },
        chosen={
            "density": "bernoulli",
            "lr_schedule": "constant",
            "workers": 4,
            "preload": False,
            "test_samples": 1000,
        },
        notes=(
            "the set VAE's paper prints no likelihood, epochs, batch size or networks; its numbers, about -0.5 nats "
            "for each value, look like cross-entropies of values in [0, 1], which are no densities: zeros and ones "
            "drawn from these values have probabilities of that size",
            "18 attributes and the crop to the shorter side are those of Wu and Goodman's code",
        ),
    )
}

PUBLISHED: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("set", "smvae"): (-6000.95, -6087.91, -6085.31, -6025.38, -6080.86, -6084.94),
    ("joint", "jmvae"): (-6238.28, -6234.54, -6235.33, -6242.19, -6237.97, -6231.46),
    ("poe", "mvae"): (-6241.62, -6237.10, -6235.36, -6242.03, -6236.92, -6234.95),
    ("moe", "mmvae"): (-6513.43, -6560.57, -6516.14, -6255.45, -6284.28, -6290.74),
}
"""Table 1 of the set VAE's paper, by guide and objective: log p(image, attributes), log p(image) and
log p(image | attributes) from q(z | image, attributes), then the same from q(z | image). Joints above the image's own
log-likelihood cannot be honest estimates of one model (see the page of mnist)."""
