"""Poses for a folder of images."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor
from tqdm import tqdm

from pyro_mmvae import Batch, Loss
from pyro_mmvae.experiments.common.driver import device_of
from pyro_mmvae.experiments.rhd.figures import draw_predictions
from pyro_mmvae.experiments.rhd.options import PredictOptions
from pyro_mmvae.experiments.rhd.reuse import open_hands


def predict_folder(chosen: PredictOptions) -> None:
    """Write poses for a folder of images.

    Raises:
        ValueError: the run does not look at images, or there are none in the folder that can be read.
    """
    opened = open_hands(chosen.run, chosen.best)
    config, loss = opened.experiment.config, opened.loss
    if "rgb" not in loss.guide.inputs:
        raise ValueError(f"the run {chosen.run} infers from {list(loss.guide.inputs)}, not from images")
    device = device_of(chosen.device)
    loss = loss.to(device)
    torch.manual_seed(config.seed)
    failed: dict[str, str] = {}
    names: list[str] = []
    made: list[tuple[Tensor, Tensor]] = []
    first: list[Tensor] = []
    for part, images in _read_images(chosen, config.image_size, failed):
        names += part
        made.append(_poses(loss, images.to(device), chosen.draws))
        first = first or [images]
    if not names:
        raise ValueError(f"no image in {chosen.images} could be read: expected .png or .jpg files, failed: {failed}")
    pose, spread = (torch.cat(values).cpu().numpy() for values in zip(*made, strict=True))
    shown = first[0]
    if chosen.mirror:
        pose, shown = pose * np.array([-1.0, 1.0, 1.0], dtype=pose.dtype), shown.flip(-1)
    unit = chosen.bone_mm or 1.0
    out = chosen.out or chosen.run / "predictions"
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "poses.npz", names=np.array(names), pose=pose * unit, spread=spread * unit)
    _write_csv(out / "poses.csv", names, pose * unit, spread * unit, "mm" if chosen.bone_mm else "bones")
    draw_predictions(shown, pose, names, out / "poses.png")
    for name, reason in failed.items():
        print(f"skipped {name}: {reason}")
    print(f"{len(names)} poses written to {out / 'poses.npz'} and poses.csv; pictures in {out / 'poses.png'}")


@torch.no_grad()
def _poses(loss: Loss, images: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    batch = Batch.of({"rgb": images})
    drawn = loss.model.predict(loss.guide.posterior(batch).sample((draws,)), "pose")
    return loss.model.predict(loss.guide.point(batch), "pose"), drawn.var(0, unbiased=False).sum(-1).sqrt()


def _read_images(chosen: PredictOptions, size: int, failed: dict[str, str]) -> Iterator[tuple[list[str], Tensor]]:
    """Yield names and images batch by batch; what cannot be read goes into `failed` with the reason."""
    if not chosen.images.is_dir():
        raise FileNotFoundError(f"{chosen.images} is not a folder of images")
    paths = sorted(p for p in chosen.images.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    for begin in tqdm(range(0, len(paths), chosen.batch_size), "predicting", unit="batch"):
        found: dict[str, Tensor] = {}
        for path in paths[begin : begin + chosen.batch_size]:
            try:
                found[path.name] = _read_image(path, size, chosen.mirror)
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                failed[path.name] = str(error)
        if found:
            yield list(found), torch.stack(list(found.values()))


def _read_image(path: Path, size: int, mirror: bool) -> Tensor:
    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file).convert("RGB")
    image = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    tensor: Tensor = pil_to_tensor(ImageOps.mirror(image) if mirror else image)
    return tensor.float() / 255


def _write_csv(path: Path, names: list[str], pose: Any, spread: Any, unit: str) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "joint", f"x_{unit}", f"y_{unit}", f"z_{unit}", f"spread_{unit}"])
        for name, joints, widths in zip(names, pose, spread, strict=True):
            for joint, (point, width) in enumerate(zip(joints, widths, strict=True)):
                writer.writerow([name, joint, *(f"{c:.6g}" for c in point), f"{width:.6g}"])
