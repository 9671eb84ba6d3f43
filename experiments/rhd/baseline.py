"""The mean training pose: what a prediction that looks at nothing is worth."""

from __future__ import annotations

import json

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import HandData, loader, open_split
from pyro_mmvae.files import write_json
from pyro_mmvae.hands.metrics import mean_pose

MEAN_POSE_FILE = "mean_pose.json"
"""Kept in the run folder: it belongs to what the model was trained on, whatever it is evaluated on later."""


def run_mean_pose(config: Config, data: HandData | None = None) -> Tensor:
    """Return the mean pose (21, 3) of a run's training samples; taken once and kept in the run folder.

    Args:
        config: of the run.
        data: the run's data, if they are open.
    """
    path = config.run / MEAN_POSE_FILE
    if not path.is_file():
        ids = (data or HandData(config)).train.ids
        split = open_split(config, "training", modalities=("pose",), ids=ids)  # only masks are read
        batches = tqdm(loader(split, config), "mean pose", unit="batch", leave=False)
        poses = torch.cat([item.batch.data["pose"] for item in batches])
        write_json({"mean_pose": mean_pose(poses).astype("float32").tolist()}, path)
    return torch.tensor(json.loads(path.read_text())["mean_pose"])
