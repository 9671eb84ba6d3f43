"""The mean training pose: what a prediction that looks at nothing is worth."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import HandData, loader, open_split
from pyro_mmvae.files import read_json, write_json
from pyro_mmvae.hands.metrics import mean_pose
from pyro_mmvae.hands.rhd_format import NUM_JOINTS
from pyro_mmvae.tensor_files import in_one_line

MEAN_POSE_FILE = "mean_pose.json"
"""Kept in the run folder: it belongs to what the model was trained on, whatever it is evaluated on later."""
REMEDY = "delete it, and it is made again from the run's data"


def run_mean_pose(config: Config, data: HandData | None = None) -> Tensor:
    """Return the mean pose (21, 3) of a run's training samples; taken once and kept in the run folder.

    Args:
        config: of the run.
        data: the run's data, if they are open.

    Raises:
        ValueError: the file that was kept is damaged.
    """
    path = config.run / MEAN_POSE_FILE
    if not path.is_file():
        ids = (data or HandData(config)).train.ids
        split = open_split(config, "training", modalities=("pose",), ids=ids)  # only masks are read
        batches = tqdm(loader(split, config), "mean pose", unit="batch", leave=False)
        poses = torch.cat([item.batch.data["pose"] for item in batches])
        write_json({"mean_pose": mean_pose(poses).astype("float32").tolist()}, path)
    try:
        kept = torch.tensor(read_json(path)["mean_pose"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged ({in_one_line(error)}); {REMEDY}") from error
    if kept.shape != (NUM_JOINTS, 3) or not kept.is_floating_point() or not bool(torch.isfinite(kept).all()):
        raise ValueError(
            f"{path}: expected {NUM_JOINTS} joints in space, got {kept.dtype} {tuple(kept.shape)}; {REMEDY}"
        )
    return kept
