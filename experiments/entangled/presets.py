"""What Korthals et al. 2019 print of their experiment with entangled MNIST, and what they found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyro_mmvae.experiments.common.run_config import Preset

PAPER = "korthals2019"
PUBLISHED = {"entangled": -199.23, "mixed": -204.48}
"""Joint bounds of JMVAE by set of pairs (figure 1), of grey pixels scored by cross-entropy."""

_PRINTED: Mapping[str, Any] = {
    "guide": "joint",
    "latent_dim": 2,
    "widths": (128, 64),
    "decoder_activation": "tanh",
    "optimiser": "adam",
    "pixels": "grey",
    "cvae_network": "conv",
    "cvae_hidden": 128,
    "cvae_latent": 2,
}
_CHOSEN: Mapping[str, Any] = {
    "epochs": 30,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "lr_schedule": "constant",
    "samples": 50_000,
    "test_samples": 10_000,
    "cvae_epochs": 50,
    "cvae_beta": 1.0,
}
_NOTES = (
    "the sets are MNIST and FashionMNIST: give their folders as --first and --second, else installed sets stand in",
    "binary cross-entropy of grey pixels is an energy: the bound is printed as such, and no log-likelihood",
    "tanh is between the decoders' layers; the last one is linear, as cross-entropy wants logits",
    "the paper says that its autoencoders are beta-VAEs, but not with which beta",
)


def _preset(title: str, objective: str, networks: str, *notes: str, **more: Any) -> Preset:
    own = {"objective": objective, "guide_options": (f"networks={networks}", "hidden=64"), **more}
    return Preset(f"Korthals et al. 2019, tables 1 and 2, {title}", {**_PRINTED, **own}, _CHOSEN, (*_NOTES, *notes))


PRESETS: Mapping[str, Preset] = {
    PAPER: _preset(
        "JMVAE",
        "jmvae",
        "zeroed",
        "section 1.2.1 gives the KLs between posteriors the weight 1; a JMVAE-Z without them is alpha=0",
        objective_options=("alpha=1",),
    ),
    f"{PAPER}-tvae": _preset("tVAE", "telbo", "separate"),
    f"{PAPER}-m2vae": _preset("M2VAE", "m2vae", "separate"),
}
"""By model: `--paper korthals2019` is that of the published bounds."""
