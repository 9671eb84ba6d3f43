"""Options of the experiment with entangled sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from pyro_mmvae.experiments.common.by_name import GuideName
from pyro_mmvae.experiments.common.ranges import Positive, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset, RunConfig
from pyro_mmvae.experiments.entangled.presets import PRESETS


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Options of a run: two conditional autoencoders, a set of pairs that they make, a model of the pairs."""

    experiment: ClassVar[str] = "entangled"
    about: ClassVar[
        str
    ] = """Conditional autoencoders of two sets make an entangled set of pairs, on which a model is trained; or the
same set with the pairs mixed within each class.

    python -m experiments.entangled                                      digits and rendered shapes, minutes
    python -m experiments.entangled --pairs mixed --objective m2vae
    python -m experiments.entangled --first MNIST --second FASHION       folders of the published files
    python -m experiments.compare --experiment entangled                 both sets, JMVAE and M2VAE

The run folder holds metrics.json, figures, checkpoints and history; the autoencoders are kept for all runs."""
    comparison: ClassVar[Comparison] = Comparison(("joint",), ("jmvae", "m2vae"), {"pairs": ("entangled", "mixed")})
    tiny: ClassVar[tuple[str, ...]] = (
        *("--samples", "150", "--test-samples", "40", "--num-samples", "20", "--epochs", "2", "--widths", "8"),
        *("--cvae-epochs", "1", "--cvae-hidden", "8"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"num_samples", "test_samples", "autoencoders"})

    guide: GuideName = "joint"
    latent_dim: Positive = 2
    epochs: Positive = 30

    pairs: Literal["entangled", "mixed"] = "entangled"
    """Pairs as they are made, or mixed within each class."""
    first: Path | None = None
    """Folder with MNIST's files, as published. None: scikit-learn's digits, enlarged."""
    second: Path | None = None
    """Folder with FashionMNIST's files, as published. None: ten kinds of rendered shapes."""
    autoencoders: Path = Path("runs/entangled/autoencoders")
    """Folder of the conditional autoencoders. They are trained once, and found by what they were trained with."""
    cvae_network: Literal["mlp", "conv"] = "mlp"
    """Two fully connected layers, or the paper's convolutions and one fully connected layer."""
    cvae_latent: Positive = 2
    """Latent dimension of the conditional autoencoders."""
    cvae_hidden: Positive = 256
    """Width of their fully connected layers."""
    cvae_epochs: Positive = 40
    """Passes over each uni-modal set."""
    cvae_beta: Weight = 1.0
    """Weight of their KL."""
    pixels: Literal["binary", "grey"] = "binary"
    """Pixels are drawn from the decoded probabilities; or are these probabilities, scored by cross-entropy, of which
    there is no log-likelihood. Autoencoders are trained on pixels of the same kind."""
    samples: Positive = 6000
    """Pairs that are drawn for training."""
    test_samples: Annotated[int, Meta(ge=20)] = 1000
    """Pairs on which the model is judged, and as many that are held out from training."""
    num_samples: Positive = 300
    """Importance samples K of the log-likelihoods."""
    widths: tuple[Positive, ...] = (128, 64)
    """Hidden layers of encoders, and of decoders in reverse."""
    decoder_activation: Literal["relu", "tanh"] = "relu"
    """Between the layers of decoders."""

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

    @property
    def run_name(self) -> str:
        """Name of the run folder."""
        return f"{self.pairs}-{super().run_name}"
