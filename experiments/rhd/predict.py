"""Poses for a folder of images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pyro_mmvae import Batch, Loss
from pyro_mmvae.distributions.hierarchical import draws
from pyro_mmvae.environment import device_of
from pyro_mmvae.experiments.rhd.options import PredictOptions
from pyro_mmvae.experiments.rhd.reuse import open_hands
from pyro_mmvae.hands.evaluation import SHOWN
from pyro_mmvae.hands.geometry import MIRROR
from pyro_mmvae.hands.photos import Photos, write_poses
from pyro_mmvae.hands.plots import plot_predictions


def predict_folder(chosen: PredictOptions) -> None:
    """Write poses for a folder of images.

    Raises:
        ValueError: the run does not look at images, or there are none in the folder that can be read.
    """
    opened = open_hands(chosen.run, chosen.best, chosen.allow)
    config, loss = opened.experiment.config, opened.loss.to(device_of(chosen.device))
    if "rgb" not in loss.guide.inputs:
        raise ValueError(f"the run {chosen.run} infers from {list(loss.guide.inputs)}, not from images")
    torch.manual_seed(config.seed)
    photos = Photos(chosen.images, config.image_size, chosen.mirror)
    names: list[str] = []
    images: list[Tensor] = []
    poses: list[tuple[Tensor, Tensor]] = []
    for part, seen in photos.batches(chosen.batch_size):
        names += part
        images.append(seen[:SHOWN])
        poses.append(_poses(loss, seen, chosen))
    if not names:
        raise ValueError(f"no image in {chosen.images} could be read: expected .png or .jpg files, {photos.failed}")
    pose, spread = (torch.cat(values).numpy() for values in zip(*poses, strict=True))
    out, unit = chosen.out or chosen.run / "predictions", chosen.bone_mm or 1.0
    write_poses(out, names, pose * unit, spread * unit, "mm" if chosen.bone_mm else "bones")
    shown = images[0].flip(-1) if chosen.mirror else images[0]
    plot_predictions(shown, torch.as_tensor(pose[: len(shown)]), names[: len(shown)], out / "poses.png")
    for name, reason in photos.failed.items():
        print(f"skipped {name}: {reason}")
    print(f"{len(names)} poses written to {out / 'poses.npz'} and poses.csv; pictures in {out / 'poses.png'}")


@torch.no_grad()
def _poses(loss: Loss, images: Tensor, chosen: PredictOptions) -> tuple[Tensor, Tensor]:
    """Return poses (B, 21, 3), right hands as right hands, and the spread (B, 21) over draws from the posterior."""
    batch = Batch.of({"rgb": images}).to(loss.model.device)
    drawn = loss.model.predict(draws(loss.guide.posterior(batch), (chosen.draws,))[0], "pose")
    pose = loss.model.predict(loss.guide.point(batch), "pose").cpu()
    turned = pose * torch.as_tensor(np.diag(MIRROR), dtype=pose.dtype) if chosen.mirror else pose
    return turned, drawn.var(0, unbiased=False).sum(-1).sqrt().cpu()
