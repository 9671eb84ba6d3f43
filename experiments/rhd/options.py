"""Options of what can be done with a trained run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from pyro_mmvae.experiments.common.ranges import Count, Positive, PositiveNumber, Share, Weight


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Compute the metrics of a trained run again, on other data, with other noise or by other rules.

    Writes metrics.json and figures into a folder of its own; those of the run stay as they are. None: as in the run.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    out: Path | None = None
    """Folder for the results. None: a folder in RUN named after what was changed."""
    data: Path | None = None
    """Folder in the data set's layout."""
    dataset: Literal["rhd", "stb"] | None = None
    """Another data set; the run has to have joints that it has, as the palm of both."""
    judge: Literal["test", "validation"] | None = None
    """Evaluation samples, or those held out from training."""
    pixel_corruption: Share | None = None
    """Share of pixels replaced by random colours."""
    cloud_noise: Weight | None = None
    """Standard deviation of noise on cloud points."""
    corrupted_share: Share | None = None
    """Share of samples on which the noise acts."""
    cloud_corrupted_share: Share | None = None
    """The same for clouds alone."""
    joints: Literal["visible", "all"] | None = None
    """Joints that count."""
    average: Literal["joint", "keypoint"] | None = None
    """How errors are averaged."""
    auc_rule: Literal["grid", "even", "exact"] | None = None
    """Thresholds of the AUC."""
    seed: int | None = None
    """Of noise and draws."""
    workers: Count | None = None
    """Processes that load data."""
    device: str = "auto"
    """auto, cpu, cuda."""
    allow: tuple[str, ...] = ()
    """Code of your own that the run names, by import path. Nothing else from outside of this package is imported."""
    best: bool | None = None
    """Use the best checkpoint rather than the last. None: if the run stops early, as its own metrics do."""
    figures: bool = True
    """Draw figures."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Write 3-D poses for a folder of images, each a crop about one hand.

    Writes poses.npz with `names` (N,), `pose` (N, 21, 3) relative to the root joint in lengths of the middle finger's
    first bone, and `spread` (N, 21), the standard deviation of each joint's position over posterior draws; also a
    poses.csv of the same, and a sheet of pictures. Left hands, as the model was trained; see --mirror.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    images: tyro.conf.Positional[Path]
    """Folder of .png or .jpg files."""
    out: Path | None = None
    """Folder for the results. None: RUN/predictions."""
    bone_mm: PositiveNumber | None = None
    """Length of the middle finger's first bone in millimetres: poses are then written in millimetres."""
    mirror: bool = False
    """The images show right hands."""
    draws: Positive = 32
    """Posterior draws for the spread."""
    batch_size: Positive = 32
    """Images at a time."""
    device: str = "auto"
    """auto, cpu, cuda."""
    allow: tuple[str, ...] = ()
    """Code of your own that the run names, by import path. Nothing else from outside of this package is imported."""
    best: bool | None = None
    """Use the best checkpoint rather than the last. None: if the run stops early, as its own metrics do."""
