"""All figures of what a trained model did on hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from pyro_mmvae.hands.batch import Hands
from pyro_mmvae.hands.evaluation import MEAN_POSE, SHOWN, Judged
from pyro_mmvae.hands.plots import plot_pck, plot_skeletons, plot_skeletons_3d
from pyro_mmvae.plots import plot_clouds, plot_heatmaps, plot_history
from pyro_mmvae.training import History


def draw_figures(judged: Judged, folder: Path, history: History | None) -> None:
    """Draw everything that the setting has: PCK curves, skeletons, clouds, heat maps, training curves."""
    folder.mkdir(parents=True, exist_ok=True)
    assert judged.shown is not None
    curves = {MEAN_POSE: judged.baseline, **judged.poses, **judged.branch_poses}
    plot_pck(curves, folder / "pck.png", dashed=[MEAN_POSE])
    data = {name: value[:SHOWN] for name, value in judged.shown.batch.data.items()}
    decoded = judged.decoded()
    made = {target: {name: found[target] for name, found in decoded.items() if target in found} for target in data}
    _draw_poses(data, made["pose"], Hands(*(value[:SHOWN] for value in judged.shown.hands)), folder)
    if "rgb" in data and made.get("heatmap"):
        plot_heatmaps(data["rgb"], data["heatmap"], made["heatmap"], folder / "heatmaps.png")
    if made.get("cloud"):
        plot_clouds(data["cloud"], made["cloud"], folder / "clouds.png")
        cloud, pose = (next(reversed(made[target].values()))[0].numpy() for target in ("cloud", "pose"))
        np.savez(folder / "decoded.npz", cloud=cloud, pose=pose)  # as the viewer of point clouds reads them
    if history is not None:
        plot_history(history.rows, folder / "training.png")


def _draw_poses(data: dict[str, Tensor], poses: dict[str, Tensor], hands: Hands, folder: Path) -> None:
    plot_skeletons_3d(data["pose"], poses, folder / "skeletons_3d.png", units="lengths of the reference bone")
    if "rgb" in data:
        uv = {name: hands.to_crop(pose) for name, pose in poses.items()}
        plot_skeletons(data["rgb"], hands.keypoints_uv, uv, folder / "skeletons.png")
