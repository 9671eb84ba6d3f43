"""Figures of a run of the hand experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.evaluation import MEAN_POSE, SHOWN, Judged
from pyro_mmvae.hands.batch import Hands
from pyro_mmvae.hands.plots import plot_pck, plot_predictions, plot_skeletons, plot_skeletons_3d
from pyro_mmvae.plots import plot_clouds, plot_heatmaps, plot_training
from pyro_mmvae.training import History


def draw_figures(config: Config, judged: Judged, folder: Path, history: History | None) -> None:
    """Draw everything that the setting has: PCK curves, skeletons, clouds, heat maps, training curves."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_pck({MEAN_POSE: judged.baseline, **judged.poses}, folder / "pck.png", dashed=[MEAN_POSE])
    data = {name: value[:SHOWN] for name, value in judged.shown.batch.data.items()}
    hands = Hands(*(value[:SHOWN] for value in judged.shown.hands))
    decoded = judged.decoded
    poses = {name: found["pose"] for name, found in decoded.items()}
    plot_skeletons_3d(data["pose"], poses, folder / "skeletons_3d.png", units="lengths of the reference bone")
    if "rgb" in data:
        images = data["rgb"]
        uv = {name: project(pose, hands) for name, pose in poses.items()}
        plot_skeletons(images, hands.keypoints_uv, uv, folder / "skeletons.png")
        if "heatmap" in data:
            maps = {name: found["heatmap"] for name, found in decoded.items()}
            plot_heatmaps(images, data["heatmap"], maps, folder / "heatmaps.png")
    if "cloud" in config.flow.targets:
        clouds = {name: found["cloud"] for name, found in decoded.items()}
        plot_clouds(data["cloud"], clouds, folder / "clouds.png")
        _save_for_viewer(clouds, poses, folder / "decoded.npz")
    if history is not None:
        plot_training(_curves(history), folder / "training.png")


def _curves(history: History) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    names = [n for n in history.rows[-1] if n in ("train/loss", "val/loss") or n.startswith("val/epe_mm|")]
    return {name: history.series(name) for name in names}


def _save_for_viewer(clouds: dict[str, Tensor], poses: dict[str, Tensor], path: Path) -> None:
    """Write the first sample's decoded cloud and pose, as the viewer of point clouds reads them."""
    name = next(reversed(clouds))
    np.savez(path, cloud=clouds[name][0].numpy(), pose=poses[name][0].numpy())


def project(pose: Tensor, hands: Hands) -> Tensor:
    """Project normalised poses into the crops they came from, with the true root and scale.

    Args:
        pose: shape `(B, 21, 3)`.
        hands: of the same samples.

    Returns:
        Pixels of the crop, shape `(B, 21, 2)`.
    """
    points = hands.to_camera(pose) @ hands.camera.mT
    uv = points[..., :2] / points[..., 2:].clamp_min(1e-6)
    return torch.cat([uv, torch.ones_like(uv[..., :1])], dim=-1) @ hands.crop.mT


def draw_predictions(images: Tensor, pose: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draw the first images with their predicted skeletons beside them."""
    plot_predictions(images[:SHOWN], torch.as_tensor(pose[:SHOWN]), list(names[:SHOWN]), path)
