"""Options of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Positive, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.mog.presets import PRESETS


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run, on data that the experiment draws itself."""

    experiment: ClassVar[str] = "mog"
    about: ClassVar[str] = """Two modalities, each a mixture of Gaussians whose classes coincide in part.

    python -m experiments.mog --objective m2vae                               a minute
    python -m experiments.compare --experiment mog                            JMVAE, TELBO and M2VAE side by side
    python -m experiments.mog --guide poe --objective mvae

The run folder holds metrics.json, figures (data, latent space), checkpoints and history."""
    comparison: ClassVar[Comparison] = Comparison(("joint",), ("jmvae", "telbo", "m2vae"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--samples", "200", "--test-samples", "40", "--num-samples", "20"),
        *("--epochs", "2", "--hidden", "8"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"num_samples", "test_samples"})

    guide: GuideName = "joint"
    latent_dim: Positive = 2
    learning_rate: Weight = 2e-3
    hidden: Positive = 128
    """Width of the hidden layer of encoders and decoders."""
    decoder_activation: Literal["relu", "tanh"] = "relu"
    """Behind the hidden layer of decoders."""
    error: Literal["normal", "rms"] = "normal"
    """What a point costs: minus its log density under a Gaussian as wide as a class; or the root-mean-squared error in
    units of that width, which is minus a log density as well, with longer tails."""
    samples: Positive = 4000
    """Training samples."""
    test_samples: Annotated[int, Meta(ge=2)] = 1000
    """Samples on which the model is judged."""
    num_samples: Positive = 1000
    """Importance samples K of the log-likelihoods."""

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the paper's settings, by objective."""
        return PRESETS

    def implied(self) -> dict[str, Any]:
        """Return the objective, and networks for each subset where the guide has them."""
        joint = self.guide == "joint"
        return {
            "objective": "jmvae" if joint else "mixing",
            "guide_options": ("networks=per_subset", "hidden=64") if joint else (),
        }
