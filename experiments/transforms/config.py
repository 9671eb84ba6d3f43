"""Options of the experiment with six pictures of a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pyro_mmvae.experiments.celeba.options import FaceConfig
from pyro_mmvae.experiments.common.ranges import Positive, PositiveNumber, Weight
from pyro_mmvae.experiments.common.run_config import Comparison, Preset

LITERATURE = "literature"
PRESETS: Mapping[str, Preset] = {
    LITERATURE: Preset(
        title="real faces, sized for a GPU",
        chosen={
            **{"side": 64, "width": 32, "latent_dim": 250, "epochs": 100, "batch_size": 50, "learning_rate": 1e-4},
            **{"workers": 8, "preload": False, "num_samples": 1000, "beta_share": 0.2, "test_samples": 200},
        },
        notes=(
            "the set VAE's paper (section 4.3) prints which six pictures there are, and no other setting; its "
            "landmarks are dlib's, ours the set's five points; watermark, edges' settings and the black half are ours",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Config(FaceConfig):
    """Options of a run. The defaults are a demo on drawn faces, minutes on two cores; `--data` implies others."""

    experiment: ClassVar[str] = "transforms"
    about: ClassVar[str] = """A face in colour, grey, as edges, landmarks, half masked and watermarked: any from any.

    python -m experiments.transforms                               demo on drawn faces, minutes on two cores
    python -m experiments.transforms --objective mopoe             every subset is to decode everything
    python -m experiments.transforms --guide poe --objective mvae
    python -m experiments.transforms --data DIR                    CelebA, sized for a GPU

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""
    comparison: ClassVar[Comparison] = Comparison(("set", "poe", "gpoe"))
    tiny: ClassVar[tuple[str, ...]] = (
        *("--synthetic-faces", "60", "--side", "16", "--width", "4", "--latent-dim", "4"),
        *("--num-samples", "5", "--test-samples", "5", "--epochs", "2", "--batch-size", "16"),
    )
    free: ClassVar[frozenset[str]] = frozenset({"workers", "preload", "num_samples", "test_samples"})

    side: Literal[16, 32, 64, 128] = 32
    latent_dim: Positive = 64
    edge_sigma: PositiveNumber = 1.0
    """Standard deviation, in pixels, of the Gaussian that smooths before edges are looked for."""
    lambda_binary: Weight = 1.0
    """Weight of edges and landmarks, whose pixels are zeros and ones."""
    num_samples: Positive = 50
    test_samples: Positive | None = 60

    epochs: Positive = 20
    batch_size: Positive = 32
    beta_start: Weight | None = 0.0

    @classmethod
    def presets(cls) -> Mapping[str, Preset]:
        """Return the settings for real faces."""
        return PRESETS

    def implied_preset(self) -> str | None:
        """Return those with a folder of data."""
        return LITERATURE if self.data is not None else None

    def implied(self) -> dict[str, Any]:
        """Return the guide's own objective, and three of the 63 subsets a step where it goes over all of them."""
        found = super().implied()
        return {**found, "objective_options": ("max_terms=3",)} if self.objective == "mopoe" else found

    def check_together(self) -> None:
        """Refuse options that do not fit together."""
        super().check_together()
        self.require("density", self.density != "bernoulli", "one of values in between, as colours become others")
