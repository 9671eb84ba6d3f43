"""What Korthals et al. 2019 print of their experiment with a mixture of Gaussians."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyro_mmvae.experiments.common.run_config import Preset

PAPER = "korthals2019"

_PRINTED: Mapping[str, Any] = {
    "guide": "joint",
    "latent_dim": 2,
    "hidden": 128,
    "decoder_activation": "tanh",
    "error": "rms",
    "optimiser": "rmsprop",
}
_CHOSEN: Mapping[str, Any] = {
    "epochs": 60,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "lr_schedule": "constant",
    "samples": 4000,
}
_NOTES = (
    "the root-mean-squared error is of each sample, in units of a class's standard deviation: in the unit of our "
    "places, which are not the paper's, it is not worth a latent dimension; log-likelihoods are those of its density",
    "tanh is between the decoders' layers; the last one is linear, as data beyond -1 and 1 want",
    "the paper prints neither the places of its classes nor their spread",
)


def _preset(title: str, objective: str, networks: str, *notes: str, **more: Any) -> Preset:
    own = {"objective": objective, "guide_options": (f"networks={networks}", "hidden=64"), **more}
    return Preset(f"Korthals et al. 2019, table 1, {title}", {**_PRINTED, **own}, _CHOSEN, (*_NOTES, *notes))


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
"""By model."""
